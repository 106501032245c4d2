/*
 * Pools of virtual addresses as configured: pools { name { addrs, dns, ... } } of swanctl.conf, and
 * the attributes by which they are told to travellers, ready as they go on the wire (RFC 7296
 * 3.15.1; IKEv1's Mode Config has the same numbers). Immutable once loaded; who has which address
 * is the engine's business (ike/lease.c).
 */
#pragma once

#include "base/addr.h"
#include "base/cursor.h"

enum cfg_attr_type {
    CFG_IP4_ADDRESS = 1, /* IANA: IKEv2 Configuration Payload Attribute Types */
    CFG_IP4_NETMASK = 2,
    CFG_IP4_DNS = 3,
    CFG_IP4_NBNS = 4,
    CFG_ADDRESS_EXPIRY = 5,
    CFG_IP4_DHCP = 6,
    CFG_APPLICATION_VERSION = 7,
    CFG_IP6_ADDRESS = 8,
    CFG_IP6_NETMASK = 9, /* IKEv1 only */
    CFG_IP6_DNS = 10,
    CFG_IP6_NBNS = 11,
    CFG_IP6_DHCP = 12,
    CFG_IP4_SUBNET = 13,
    CFG_SUPPORTED_ATTRIBUTES = 14,
    CFG_IP6_SUBNET = 15,
    CFG_XAUTH_TYPE = 16520, /* draft-beaulieu-ike-xauth-02 6.2 */
    CFG_XAUTH_USER_NAME = 16521,
    CFG_XAUTH_USER_PASSWORD = 16522,
    CFG_XAUTH_PASSCODE = 16523,
    CFG_XAUTH_MESSAGE = 16524,
    CFG_XAUTH_CHALLENGE = 16525,
    CFG_XAUTH_DOMAIN = 16526,
    CFG_XAUTH_STATUS = 16527,
    CFG_XAUTH_NEXT_PIN = 16528,
    CFG_XAUTH_ANSWER = 16529,
    CFG_IP4_SERVER = 23456, /* Microsoft's, as swanctl.conf's "server" */
    CFG_IP6_SERVER = 23457,
    CFG_UNITY_BANNER = 28672, /* Cisco Unity */
    CFG_UNITY_SAVE_PASSWD = 28673,
    CFG_UNITY_DEF_DOMAIN = 28674,
    CFG_UNITY_SPLITDNS_NAME = 28675,
    CFG_UNITY_SPLIT_INCLUDE = 28676,
    CFG_UNITY_NATT_PORT = 28677,
    CFG_UNITY_LOCAL_LAN = 28678,
    CFG_UNITY_PFS = 28679,
    CFG_UNITY_FW_TYPE = 28680,
    CFG_UNITY_BACKUP_SERVERS = 28681,
    CFG_UNITY_DDNS_HOSTNAME = 28682,
};

#define POOL_ATTRS_MAX 32
#define POOL_VALUE_MAX 512
#define POOL_SIZE_MAX  (1u << 31)

struct pool_attr {
    uint16_t type, len;
    uint8_t *value;
};

struct addr_pool {
    char *name;
    struct addr base; /* as configured: of a subnet, its own address */
    uint32_t first;   /* offset of the first address that is given out: 1 in a subnet */
    uint32_t size;    /* addresses that are given out */
    size_t attr_count;
    struct pool_attr attr[POOL_ATTRS_MAX];
};

struct addr_pool *addr_pool_new(const char *name) must_use;
void addr_pool_free(struct addr_pool *p);
/* "10.9.0.0/24" (without its first and last address), "10.9.0.10-10.9.0.20", "2001:db8::/97". */
bool addr_pool_parse(struct addr_pool *p, const char *text) must_use;
/* The nth address, from 0; and whether an address is one of these. */
struct addr addr_pool_at(const struct addr_pool *p, uint32_t n);
bool addr_pool_has(const struct addr_pool *p, const struct addr *a, uint32_t *n);

/*
 * Adds what swanctl.conf calls `word` ("dns", "split_include", or a number): v4 and v6 attribute by
 * the value's family. E_NOMEM; R_CONFIG_VALUE: not such a value; R_NOT_FOUND: no such word;
 * R_TOO_MANY.
 */
err_t addr_pool_attr(struct addr_pool *p, const char *word, const char *value) must_use;
/* The value of a subnet or split network, behind an address of `at` bytes: false, not a mask. */
bool cfg_mask_bits(const uint8_t mask[4], unsigned *bits);
