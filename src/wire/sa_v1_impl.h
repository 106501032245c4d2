/* Numbers that reading (sa_v1.c) and writing (sa_v1_write.c) of IKEv1's SA payload share. */
#pragma once

#include "wire/sa_v1.h"

enum { MORE_PROPOSALS = 2, MORE_TRANSFORMS = 3, LAST = 0 };
enum { DOI = 1, SIT_IDENTITY_ONLY = 1 }; /* RFC 2407 4.2 */
enum { KEY_IKE = 1 };                    /* RFC 2407 4.4.2: the one transform id of phase 1 */
enum { ATTR_TV = 0x8000 };               /* RFC 2408 3.3 */

enum { /* RFC 2409 appendix A */
       IKE_ENCR = 1,
       IKE_HASH = 2,
       IKE_AUTH = 3,
       IKE_GROUP = 4,
       IKE_LIFE_TYPE = 11,
       IKE_LIFE = 12,
       IKE_KEY_LENGTH = 14,
};

enum { /* RFC 2407 4.5; 11: RFC 4304 */
       ESP_LIFE_TYPE = 1,
       ESP_LIFE = 2,
       ESP_GROUP = 3,
       ESP_ENCAP = 4,
       ESP_AUTH = 5,
       ESP_KEY_LENGTH = 6,
       ESP_ESN = 11,
};

enum { PROTO_COMP = 4 }; /* RFC 2407 4.4.1 */

enum { LIFE_SECONDS = 1, LIFE_KILOBYTES = 2 };
enum { COMP_DEFLATE = 2 }; /* RFC 2407 4.4.5 */

/* sa_v1_fold.c */
void sa_v1_fold(struct v1_sa_body *s, bool ike);
