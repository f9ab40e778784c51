-- SPDX-License-Identifier: MIT
return { name = "shop" }
