/* SPDX-License-Identifier: MIT */
/* Money as text and as integer minor units, exact, without floating point (ISO 4217). */
#ifndef MOONLOG_SCRIPT_LUA_MONEY_H
#define MOONLOG_SCRIPT_LUA_MONEY_H

#include "base/slice.h"

#define MONEY_TEXT_SIZE 24

/* Decimals of a currency by its code; 2 for codes not known. */
unsigned money_decimals(struct slice currency);

enum money_result { MONEY_OK, MONEY_SYNTAX, MONEY_DECIMALS, MONEY_RANGE };
/* "500", "500.00", "-0.5": an optional minus, digits, at most `decimals` digits after a point. */
enum money_result money_parse(struct slice text, unsigned decimals, int64_t *minor);
/* Always with all decimals: 50000 of EUR is "500.00". Gives the length. */
size_t money_format(int64_t minor, unsigned decimals, char text[MONEY_TEXT_SIZE]);

#endif
