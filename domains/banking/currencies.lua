-- SPDX-License-Identifier: MIT
-- The currencies the bank keeps accounts in.
return { "EUR", "USD", "GBP", "CHF", "JPY", "KWD" }
