/* The encoding that codec.c reads and writer.c writes. */
#pragma once

enum element {
    SECTION_START = 1,
    SECTION_END = 2,
    KEY_VALUE = 3,
    LIST_START = 4,
    LIST_ITEM = 5,
    LIST_END = 6,
};

#define VICI_NAME_MAX  255
#define VICI_VALUE_MAX 65535
