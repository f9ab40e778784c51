-- SPDX-License-Identifier: MIT
-- What an empty store begins with, by product.
return { ["1"] = 100, ["2"] = 50, ["3"] = 25 }
