-- SPDX-License-Identifier: MIT
return {
    queries = {
        totals = { run = function(view) return view.Totals:find { order = { "Customer" } } end },
    },
}
