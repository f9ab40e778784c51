-- SPDX-License-Identifier: MIT
-- Orders, stock, payments and statistics in one daemon: messages travel along its log, no broker.
return {
    data = "data/all",
    listen = { "127.0.0.1:5163" },
    domains = { "../../domains/orders", "../../domains/stock", "../../domains/payments", "../../domains/orderreports" },
}
