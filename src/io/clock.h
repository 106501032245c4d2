/* The clocks, and nothing else of time. */
#pragma once

#include <stdint.h>

uint64_t clock_now_ms(void); /* CLOCK_BOOTTIME: goes on while the machine sleeps */
uint64_t clock_now_us(void); /* CLOCK_MONOTONIC, for short spans */
uint64_t clock_wall_s(void); /* seconds since 1970 */
