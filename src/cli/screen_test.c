/* Golden screens: the same answers that a daemon gives, as people see them; and as JSON. */
#include "cli/cli_test.h"
#include <time.h>

static const char sa[] =
    "gw-gw {uniqueid=1 version=2 state=ESTABLISHED local-host=192.0.2.1 local-port=4500 "
    "local-id=gwa.example remote-host=2001:db8::2 remote-port=4500 remote-id=b initiator=yes "
    "auth-local=rsa-sha256 auth-remote=psk "
    "initiator-spi=270dfe9c24405c8c responder-spi=268253090bbaa87e nat-remote=yes nat-any=yes "
    "encr-alg=AES_GCM_16 encr-keysize=128 prf-alg=PRF_HMAC_SHA2_256 dh-group=CURVE_25519 "
    "established=65 rekey-time=13358 child-sas {net2-4 {name=net2 uniqueid=4 reqid=1 "
    "state=INSTALLED mode=TUNNEL protocol=ESP encap=yes spi-in=190c63bf spi-out=02962488 "
    "encr-alg=AES_CBC encr-keysize=256 integ-alg=HMAC_SHA2_256_128 esn=1 bytes-in=252 packets-in=3 "
    "use-in=0 bytes-out=123456789 packets-out=100200 use-out=61 replay-window=64 late-in=5 "
    "duplicate-in=2 lateness=[1:1 64:5] replay-window-advice=128 rekey-time=3506 life-time=3960 "
    "install-time=0 local-ts=[10.1.0.0/24 fd01::/64] remote-ts=[10.2.0.0/24]}}} "
    "(unnamed) {uniqueid=9 version=2 state=CONNECTING local-host=%any local-port=500 local-id=%any "
    "remote-host=192.0.2.77 remote-port=500 remote-id=%any initiator-spi=0dd123af29d555c6 "
    "responder-spi=0000000000000000 child-sas {}}";

static const char sa_screen[] =
    "gw-gw #1  ESTABLISHED  IKEv2  initiator\n"
    "  local   gwa.example  192.0.2.1[4500]  rsa-sha256\n"
    "  remote  b            2001:db8::2[4500]  psk  behind NAT\n"
    "  suite   AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519\n"
    "  times   established 1m 5s ago, rekeys in 3h 42m\n"
    "  spis    270dfe9c24405c8c_i 268253090bbaa87e_r\n"
    "  net2 #4  INSTALLED  TUNNEL ESP in UDP  AES_CBC-256/HMAC_SHA2_256_128, ESN\n"
    "    10.1.0.0/24 fd01::/64 === 10.2.0.0/24\n"
    "    in  190c63bf        252 B          3 packets  last 0s ago\n"
    "    out 02962488    117.7 MiB     100200 packets  last 1m 1s ago\n"
    "    late: 5 dropped, 2 seen before; window 64, 128 would do; behind: 1:1 64:5\n"
    "    installed 0s ago, rekeys in 58m 26s, expires in 1h 6m\n"
    "\n"
    "(unnamed) #9  CONNECTING  IKEv2  responder\n"
    "  local   %any  %any[500]\n"
    "  remote  %any  192.0.2.77[500]\n"
    "  spis    0dd123af29d555c6_i 0000000000000000_r\n";

static void counts_detail(const struct screen *s, const struct vnode *root)
{
    show_counts(s, root->child, true);
}

static const char crypto[] =
    "CM1 {uniqueid=1013 version=1 state=ESTABLISHED v1-state=QM_IDLE v1-mode=main "
    "auth-local=psk "
    "local-host=2.2.2.2 local-port=4500 remote-host=1.1.1.1 remote-port=4500 initiator=yes "
    "nat-remote=yes encr-alg=AES_CBC encr-keysize=256 integ-alg=HMAC_SHA2_384_192 "
    "prf-alg=PRF_HMAC_SHA2_384 dh-group=MODP_2048 established=735 rekey-time=85665 child-sas "
    "{net-7 {name=net uniqueid=7 state=INSTALLED mode=TUNNEL protocol=ESP encap=yes "
    "spi-in=00001000 spi-out=00001001 cpi-in=3d53 cpi-out=1a2e encr-alg=AES_CBC encr-keysize=256 "
    "integ-alg=HMAC_SHA2_256_128 dh-group=MODP_2048 interface=culvert0 "
    "replay-window=64 limit-bytes=2048000 packets-in=4 packets-out=5 bytes-in=1024 "
    "bytes-out=3072000 life-time=3500 "
    "path-mtu=1300 plain-mtu=1246 packets-compressed=3 packets-not-compressed=2 "
    "drops {dp-icv=2 dp-too-big=7} local-ts=[10.2.5.0/24] remote-ts=['10.1.1.0/24[tcp/80]']}}} "
    "CM1 {uniqueid=1014 version=1 state=CONNECTING v1-state=MM_KEY_EXCH v1-mode=main "
    "local-host=2.2.2.2 remote-host=1.1.1.9 child-sas {}}";

static const char by_hand[] =
    "h {local-host=192.0.2.1 remote-host=192.0.2.2 name=h uniqueid=1073741824 state=INSTALLED "
    "mode=TUNNEL protocol=ESP spi-in=00001001 spi-out=00002002 encr-alg=AES_CBC encr-keysize=128 "
    "integ-alg=HMAC_SHA2_256_128 bytes-in=84 packets-in=1 bytes-out=84 packets-out=1 "
    "install-time=5 local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24] seq-in=1 seq-out=1001}";

static const char by_hand_screen[] =
    "192.0.2.1 === 192.0.2.2  manual\n"
    "  h #1073741824  INSTALLED  TUNNEL ESP  AES_CBC-128/HMAC_SHA2_256_128\n"
    "    10.1.0.0/24 === 10.2.0.0/24\n"
    "    in  00001001         84 B          1 packets\n"
    "    out 00002002         84 B          1 packets\n"
    "    installed 5s ago\n"
    "    sequence numbers: in 1, out 1001\n";

static const char conn[] =
    "gw {local_addrs=[192.0.2.1] remote_addrs=[192.0.2.2 %any6] version=IKEv2 reauth_time=0 "
    "rekey_time=14400 unique=UNIQUE_NO dpd_delay=30 proposals=aes256-sha384-ecp384 local-1 "
    "{id=gwa.example class='pre-shared key' "
    "groups=[]} remote-1 {groups=[]} children {net {mode=TUNNEL rekey_time=3600 "
    "rekey_bytes=500000000 rekey_packets=0 dpd_action=start close_action=none "
    "local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24] esp_proposals=default replay_window=64 "
    "start_action='trap|start' interface=vti0} p {mode=PASS rekey_time=3600 "
    "local-ts=[dynamic] remote-ts=['10.9.0.0/16[tcp/http]' fd02::/64]}}}";

static const char conn_screen[] =
    "gw  IKEv2  192.0.2.1 ... 192.0.2.2 %any6\n"
    "  local   gwa.example, pre-shared key\n"
    "  remote  any identity, authentication not specified\n"
    "  times   rekeying every 4h, no reauthentication, liveness check every 30s\n"
    "  suite   aes256-sha384-ecp384\n"
    "  net  TUNNEL  10.1.0.0/24 === 10.2.0.0/24\n"
    "    interface vti0, at the start: trap|start, replay window 64, proposals default\n"
    "    rekeying every 1h or 500000000 bytes, on a dead peer: start, when closed: none\n"
    "  p  PASS  dynamic === 10.9.0.0/16[tcp/http] fd02::/64\n";

/* What stands behind "key: " in the lines of a screen, one after the other. */
static void values_of(const char *screen, const char *key, struct buf *out)
{
    for (const char *p = screen; (p = strstr(p, key)); p++) {
        const char *v = p + strlen(key);
        buf_printf(out, "%.*s|", (int)strcspn(v, "\n"), v);
    }
}

/* Transforms by their Cisco names, and what an IV takes. */
static void transforms(void **state)
{
    (void)state;
    static const struct {
        const char *sa, *transform, *iv;
    } t[] = {
        {"encr-alg=AES_CBC encr-keysize=128 integ-alg=AES_XCBC_96", "esp-aes128 esp-aes-xcbc-mac ,",
         "16 bytes"},
        {"encr-alg=AES_CBC encr-keysize=256 integ-alg=AES_CMAC_96", "esp-aes256 esp-aes-cmac ,",
         "16 bytes"},
        {"encr-alg=AES_GCM_16 encr-keysize=256", "esp-aes-gcm-16-256 ,", "8 bytes"},
        {"encr-alg=AES_GCM_16_IIV encr-keysize=256", "esp-aes-gcm-16-iiv256 ,", "0 bytes"},
        {"encr-alg=3DES_CBC integ-alg=HMAC_MD5_96", "esp-3des esp-md5-hmac ,", "8 bytes"},
        {"encr-alg=NULL integ-alg=HMAC_SHA2_512_256", "esp-null esp-sha512-hmac ,", "0 bytes"},
        {"protocol=AH integ-alg=AES_256_GMAC", "ah-aes-256-gmac ,", "0 bytes"},
        {"protocol=AH integ-alg=HMAC_SHA1_96", "ah-sha1-hmac ,", "0 bytes"},
        {"encr-alg=SOMETHING_ELSE", "esp-something-else ,", NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char tree[200], want[120];
        struct buf b = {0}, got = {0};
        struct screen s = {&b, false};
        snprintf(tree, sizeof tree, "x {child-sas {c {%s}}}", t[i].sa);
        struct vnode *m = tree_of(tree);
        show_crypto_ipsec(&s, m);
        values_of(buf_str(&b), "transform: ", &got);
        values_of(buf_str(&b), "IV size: ", &got);
        snprintf(want, sizeof want, "%s|%s|", t[i].transform, t[i].transform);
        size_t n = strlen(want);
        if (t[i].iv)
            snprintf(want + n, sizeof want - n, "%s|%s|", t[i].iv, t[i].iv);
        assert_string_equal(buf_str(&got), want);
        buf_free(&b);
        buf_free(&got);
        vnode_free(m);
    }
}

/* Each interface once, with all that is on it, in the order of the answer. */
static void interfaces(void **state)
{
    (void)state;
    struct vnode *m = tree_of("a {child-sas {1 {name=one interface=vti0} 2 {name=two "
                              "interface=culvert0 replay-window=0}}} b {child-sas {3 {name=three "
                              "interface=vti0 replay-window=32}}}");
    struct buf b = {0}, got = {0};
    struct screen s = {&b, false};
    show_crypto_ipsec(&s, m);
    values_of(buf_str(&b), "interface: ", &got);
    values_of(buf_str(&b), "map tag: ", &got);
    values_of(buf_str(&b), "replay detection support: ", &got);
    assert_string_equal(buf_str(&got), "culvert0|vti0|a/two, local addr -|a/one, local addr -|"
                                       "b/three, local addr -|N|N|-|-|Y|Y|");
    buf_free(&b);
    buf_free(&got);
    vnode_free(m);
}

/* Both screens tell failures to send apart from those to receive in the same way. */
static void directions(void **state)
{
    (void)state;
    static const struct {
        const char *drop, *line;
    } t[] = {
        {"dp-header", "#send errors 1, #recv errors 0"},
        {"dp-too-big", "#send errors 1, #recv errors 0"},
        {"dp-room", "#send errors 1, #recv errors 0"},
        {"dp-fragment", "#send errors 1, #recv errors 0"},
        {"dp-seq-overflow", "#send errors 1, #recv errors 0"},
        {"dp-icv", "#send errors 0, #recv errors 1"},
        {"dp-late", "#send errors 0, #recv errors 1"},
        {"dp-encap", "#send errors 0, #recv errors 1"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char tree[80];
        struct buf b = {0};
        struct screen s = {&b, false};
        snprintf(tree, sizeof tree, "c {drops {%s=1}}", t[i].drop);
        struct vnode *m = tree_of(tree);
        show_counts(&s, m->child, false);
        assert_non_null(strstr(buf_str(&b), t[i].line));
        buf_free(&b);
        vnode_free(m);
    }
}

static const struct {
    const char *what;
    void (*show)(const struct screen *, const struct vnode *);
    const char *tree, *screen;
} cases[] = {
    {"SAs", show_sas, sa, sa_screen},
    {"by hand", show_manual_sas, by_hand, by_hand_screen},
    {"by hand among all", show_sas, by_hand, by_hand_screen},
    {"no SAs", show_sas, "", "no SAs\n"},
    {"ISAKMP SAs", show_crypto_isakmp, crypto,
     "IPv4 Crypto ISAKMP SA\n"
     "dst             src             state          conn-id status\n"
     "1.1.1.1         2.2.2.2         QM_IDLE           1013 ACTIVE\n"
     "2.2.2.2         1.1.1.9         MM_KEY_EXCH       1014 \n"
     "\n"
     "IPv6 Crypto ISAKMP SA\n"
     "dst             src             state          conn-id status\n"},
    {"ISAKMP SAs in detail", show_crypto_isakmp_detail, crypto,
     "Codes: N - NAT-traversal, X - IKE Extended Authentication\n"
     "       psk - Preshared key, rsig - signature\n\n"
     "IPv4 Crypto ISAKMP SA\n"
     "C-id  Local           Remote          I-VRF  Status  Encr    Hash   Auth  DH Lifetime Cap.\n"
     "1013  2.2.2.2         1.1.1.1                ACTIVE  aes256  sha384 psk   14 23:47:45 N\n"
     "       Engine-id:Conn-id =  SW:1013\n"
     "1014  2.2.2.2         1.1.1.9                                       -     0           \n"
     "       Engine-id:Conn-id =  SW:1014\n"
     "\n"
     "IPv6 Crypto ISAKMP SA\n"
     "C-id  Local           Remote          I-VRF  Status  Encr    Hash   Auth  DH Lifetime "
     "Cap.\n"},
    {"IKEv2 SAs", show_crypto_ikev2, sa,
     "IPv4 Crypto IKEv2 SA\n"
     "dst             src             state          conn-id status\n"
     "%any            192.0.2.77      CONNECTING           9 \n"
     "\n"
     "IPv6 Crypto IKEv2 SA\n"
     "dst             src             state          conn-id status\n"
     "2001:db8::2     192.0.2.1       READY                1 ACTIVE\n"},
    {"IPsec SAs", show_crypto_ipsec, crypto,
     "interface: culvert0\n"
     "    Crypto map tag: CM1/net, local addr 2.2.2.2\n"
     "\n"
     "   protected vrf: (none)\n"
     "   local  ident (addr/mask/prot/port): (10.2.5.0/255.255.255.0/0/0)\n"
     "   remote ident (addr/mask/prot/port): (10.1.1.0/255.255.255.0/6/80)\n"
     "   current_peer 1.1.1.1 port 4500\n"
     "    #pkts encaps: 5, #pkts encrypt: 5, #pkts digest: 5\n"
     "    #pkts decaps: 4, #pkts decrypt: 4, #pkts verify: 4\n"
     "    #pkts compressed: 3, #pkts decompressed: 0\n"
     "    #pkts not compressed: 2, #pkts decompress failed: 0\n"
     "    #send errors 7, #recv errors 2\n"
     "\n"
     "     local crypto endpt.: 2.2.2.2, remote crypto endpt.: 1.1.1.1\n"
     "     plaintext mtu 1246, path mtu 1300, ip mtu 1300\n"
     "     current outbound spi: 0x00001001(4097)\n"
     "     PFS (Y/N): Y, DH group: group14\n"
     "\n"
     "     inbound esp sas:\n"
     "      spi: 0x00001000(4096)\n"
     "        transform: esp-aes256 esp-sha256-hmac ,\n"
     "        in use settings ={Tunnel UDP-Encaps, }\n"
     "        conn id: 7, crypto map: CM1/net\n"
     "        sa timing: remaining key lifetime (k/sec): (1999/3500)\n"
     "        IV size: 16 bytes\n"
     "        replay detection support: Y\n"
     "        Status: ACTIVE\n"
     "     inbound ah sas:\n"
     "     inbound pcp sas:\n"
     "      spi: 0x3d53\n"
     "        transform: comp-deflate ,\n"
     "     outbound esp sas:\n"
     "      spi: 0x00001001(4097)\n"
     "        transform: esp-aes256 esp-sha256-hmac ,\n"
     "        in use settings ={Tunnel UDP-Encaps, }\n"
     "        conn id: 7, crypto map: CM1/net\n"
     "        sa timing: remaining key lifetime (k/sec): (0/3500)\n"
     "        IV size: 16 bytes\n"
     "        replay detection support: Y\n"
     "        Status: ACTIVE\n"
     "     outbound ah sas:\n"
     "     outbound pcp sas:\n"
     "      spi: 0x1a2e\n"
     "        transform: comp-deflate ,\n"},
    {"each counter of an SA", counts_detail,
     "net {protocol=AH packets-in=90 packets-out=80 packets-decompressed=1 drops {dp-short=1 "
     "dp-replay=2 dp-late=3 dp-icv=4 dp-padding=5 dp-next-header=6 dp-header=7 dp-fragment=8 "
     "dp-ipcomp=9 dp-inner=10 dp-selector=11 dp-seq-overflow=12 dp-expired=13 dp-too-big=14 "
     "dp-encap=15 dp-ecn=16 dp-room=17}}",
     "    #pkts encaps: 80, #pkts encrypt: 0, #pkts digest: 80\n"
     "    #pkts decaps: 90, #pkts decrypt: 0, #pkts verify: 90\n"
     "    #pkts compressed: 0, #pkts decompressed: 1\n"
     "    #pkts not compressed: 0, #pkts decompress failed: 9\n"
     "    #pkts encaps failed (send) 46, #pkts decaps failed (rcv) 46\n"
     "    #pkts invalid prot (recv) 6, #pkts verify failed: 4\n"
     "    #pkts invalid identity (recv) 11, #pkts invalid len (rcv) 1\n"
     "    #pkts replay rollover (send): 12, #pkts replay failed (rcv): 5\n"
     "    #pkts past the lifetime: 13\n"},
    {"an SA that says nothing", show_sas, "x {}",
     "x #-  -  IKEv-  responder\n"
     "  local   -  -[-]\n"
     "  remote  -  -[-]\n"
     "  spis    -_i -_r\n"},
    {"AH around ESP", show_sas,
     "x {version=1 child-sas {c {mode=TUNNEL protocol=ESP spi-in=1 spi-out=2 encr-alg=AES_CBC "
     "encr-keysize=128 integ-alg=HMAC_SHA1_96 ah-spi-in=3 ah-spi-out=4 "
     "ah-integ-alg=HMAC_SHA2_256_128 ah-esn=1}}}",
     "x #-  -  IKEv1  responder\n"
     "  local   -  -[-]\n"
     "  remote  -  -[-]\n"
     "  spis    -_i -_r\n"
     "  c #-  -  TUNNEL ESP in AH  AES_CBC-128/HMAC_SHA1_96\n"
     "    - === -\n"
     "    in         1          - B          - packets\n"
     "    out        2          - B          - packets\n"
     "    AH  HMAC_SHA2_256_128, ESN, in 3 out 4\n"},
    {"AH around ESP, as Cisco", show_crypto_ipsec,
     "x {child-sas {c {mode=TUNNEL protocol=ESP spi-in=10 spi-out=20 encr-alg=AES_CBC "
     "encr-keysize=128 integ-alg=HMAC_SHA1_96 ah-spi-in=30 ah-spi-out=40 "
     "ah-integ-alg=HMAC_SHA2_256_128}}}",
     "interface: -\n"
     "    Crypto map tag: x/-, local addr -\n"
     "\n"
     "   protected vrf: (none)\n"
     "   current_peer - port -\n"
     "    #pkts encaps: -, #pkts encrypt: -, #pkts digest: -\n"
     "    #pkts decaps: -, #pkts decrypt: -, #pkts verify: -\n"
     "    #pkts compressed: 0, #pkts decompressed: 0\n"
     "    #pkts not compressed: 0, #pkts decompress failed: 0\n"
     "    #send errors 0, #recv errors 0\n"
     "\n"
     "     local crypto endpt.: -, remote crypto endpt.: -\n"
     "     current outbound spi: 0x20(32)\n"
     "     PFS (Y/N): N, DH group: none\n"
     "\n"
     "     inbound esp sas:\n"
     "      spi: 0x10(16)\n"
     "        transform: esp-aes128 esp-sha1-hmac ,\n"
     "        in use settings ={Tunnel, }\n"
     "        conn id: -, crypto map: x/-\n"
     "        sa timing: remaining key lifetime (k/sec): (KB Vol Rekey Disabled/-)\n"
     "        IV size: 16 bytes\n"
     "        replay detection support: -\n"
     "        Status: \n"
     "     inbound ah sas:\n"
     "      spi: 0x30(48)\n"
     "        transform: ah-sha256-hmac ,\n"
     "        in use settings ={Tunnel, }\n"
     "        conn id: -, crypto map: x/-\n"
     "        sa timing: remaining key lifetime (k/sec): (KB Vol Rekey Disabled/-)\n"
     "        IV size: 0 bytes\n"
     "        replay detection support: -\n"
     "        Status: \n"
     "     inbound pcp sas:\n"
     "     outbound esp sas:\n"
     "      spi: 0x20(32)\n"
     "        transform: esp-aes128 esp-sha1-hmac ,\n"
     "        in use settings ={Tunnel, }\n"
     "        conn id: -, crypto map: x/-\n"
     "        sa timing: remaining key lifetime (k/sec): (KB Vol Rekey Disabled/-)\n"
     "        IV size: 16 bytes\n"
     "        replay detection support: -\n"
     "        Status: \n"
     "     outbound ah sas:\n"
     "      spi: 0x40(64)\n"
     "        transform: ah-sha256-hmac ,\n"
     "        in use settings ={Tunnel, }\n"
     "        conn id: -, crypto map: x/-\n"
     "        sa timing: remaining key lifetime (k/sec): (KB Vol Rekey Disabled/-)\n"
     "        IV size: 0 bytes\n"
     "        replay detection support: -\n"
     "        Status: \n"
     "     outbound pcp sas:\n"},
    {"weak algorithms", show_sas,
     "x {version=1 encr-alg=DES_CBC integ-alg=HMAC_MD5_96 prf-alg=PRF_HMAC_MD5 dh-group=MODP_1024 "
     "child-sas {c {protocol=ESP encr-alg=3DES_CBC integ-alg=HMAC_SHA1_96 dh-group=MODP_2048}}}",
     "x #-  -  IKEv1  responder\n"
     "  local   -  -[-]\n"
     "  remote  -  -[-]\n"
     "  suite   DES_CBC (weak)/HMAC_MD5_96 (weak)/PRF_HMAC_MD5 (weak)/MODP_1024 (weak)\n"
     "  spis    -_i -_r\n"
     "  c #-  -  - ESP  3DES_CBC (weak)/HMAC_SHA1_96/MODP_2048\n"
     "    - === -\n"
     "    in         -          - B          - packets\n"
     "    out        -          - B          - packets\n"},
    {"connections", show_conns, conn, conn_screen},
    {"no connections", show_conns, "", "no connections\n"},
    {"policies", show_policies,
     "gw-gw/net {child=net mode=TUNNEL local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24]} "
     "d/a {mode=DROP local-ts=[dynamic] remote-ts=[0.0.0.0/0]}",
     "gw-gw/net  TUNNEL  10.1.0.0/24 === 10.2.0.0/24\n"
     "d/a        DROP    dynamic === 0.0.0.0/0\n"},
    {"policies in the order in which they are asked", show_policies,
     "gw/net {mode=TUNNEL local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24] sas=1 trap=no "
     "configured=no interface=culvert0 priority=400000 rank=26214400130} "
     "gw/net {mode=TUNNEL local-ts=[10.1.0.0/24] remote-ts=[10.2.0.0/24] sas=0 trap=yes "
     "configured=yes interface=culvert0 priority=400000 rank=26214400130} "
     "gw/p {mode=PASS local-ts=[dynamic] remote-ts=[10.9.0.0/16] sas=0 trap=no configured=yes "
     "interface=vti0 priority=200000 rank=13107200003}",
     "gw/p    PASS    dynamic === 10.9.0.0/16\n"
     "    priority 200000, interface vti0, SAs 0, started by traffic: no\n"
     "gw/net  TUNNEL  10.1.0.0/24 === 10.2.0.0/24\n"
     "    priority 400000, interface culvert0, SAs 1, started by traffic: no\n"
     "    not of the configuration as it is now: an SA brought it\n"
     "gw/net  TUNNEL  10.1.0.0/24 === 10.2.0.0/24\n"
     "    priority 400000, interface culvert0, SAs 0, started by traffic: yes\n"},
    {"no policies", show_policies, "", "no policies\n"},
    {"pools", show_pools,
     "road {base=10.9.0.0 size=254 online=1 offline=1 leases {0 {address=10.9.0.1 identity=alice "
     "status=online} 1 {address=10.9.0.20 identity='bob@example.org' status=offline}}} "
     "empty {base=10.8.0.0 size=2 online=0 offline=0 leases {}}",
     "road  10.9.0.0  1 of 254 in use, 1 kept for their owners\n"
     "  10.9.0.1   online   alice\n"
     "  10.9.0.20  offline  bob@example.org\n"
     "empty  10.8.0.0  0 of 2 in use, 0 kept for their owners\n"},
    {"no pools", show_pools, "", "no pools\n"},
    {"certificates", show_certs,
     "1 {type=X509 flag=NONE has_privkey=yes subject='C=CH, CN=gw' key='RSA 2048' "
     "file=x509/gw.pem} "
     "2 {type=X509 flag=CA subject='CN=Root' key='ECDSA 384' file=x509ca/ca.pem} "
     "3 {type=X509_CRL flag=NONE subject='CN=Root' file=VICI}",
     "C=CH, CN=gw\n  certificate, RSA 2048, with private key\n  no end\n  from x509/gw.pem\n"
     "CN=Root\n  authority, ECDSA 384\n  no end\n  from x509ca/ca.pem\n"
     "CN=Root\n  revocation list\n  no end\n  from VICI\n"},
    {"no certificates", show_certs, "", "no certificates\n"},
    {"a traveller's SA", show_sas,
     "gw {uniqueid=1 version=1 state=ESTABLISHED v1-state=QM_IDLE v1-mode=main "
     "local-host=192.0.2.1 local-port=4500 local-id=gw remote-host=192.0.2.2 remote-port=4500 "
     "remote-id=road remote-xauth-id=alice initiator-spi=1 responder-spi=2 "
     "remote-vips=[10.9.0.1]}",
     "gw #1  ESTABLISHED  IKEv1 main mode  QM_IDLE  responder\n"
     "  local   gw    192.0.2.1[4500]\n"
     "  remote  road  192.0.2.2[4500]  user alice  virtual 10.9.0.1\n"
     "  spis    1_i 2_r\n"},
    {"statistics", show_tree,
     "uptime {running='48 seconds' since=now} ikesas {total=1 half-open=0} plugins=[a b] none=[]",
     "uptime\n"
     "  running  48 seconds\n"
     "  since    now\n"
     "ikesas\n"
     "  total      1\n"
     "  half-open  0\n"
     "plugins  a b\n"
     "none     -\n"},
};

static void screens(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vnode *m = tree_of(cases[i].tree);
        struct buf b = {0};
        struct screen s = {&b, false};
        cases[i].show(&s, m);
        assert_string_equal(buf_str(&b), cases[i].screen);
        buf_free(&b);
        vnode_free(m);
    }
}

static void failures(void **state)
{
    (void)state;
    static const struct {
        const char *reply, *screen;
    } f[] = {
        {"success=no errmsg=x reason=no-proposal what=encryption ours=aes256gcm16 theirs=aes128 "
         "hint='connections.gw-gw.proposals: add aes128' clause='RFC 7296 2.7'",
         "culvert: net is not up: no proposal is acceptable to both sides\n"
         "    encryption    ours    aes256gcm16\n"
         "                  theirs  aes128\n"
         "    change        connections.gw-gw.proposals: add aes128\n"
         "    source        RFC 7296 2.7\n"},
        {"success=no errmsg='establishing failed'",
         "culvert: net is not up: establishing failed\n"},
        {"success=no", "culvert: net is not up: the daemon does not say why\n"},
        {"success=no reason='something new' theirs=aes128 what=integrity",
         "culvert: net is not up: something new\n"
         "    integrity     theirs  aes128\n"},
        {"success=no errmsg=gone reason=not-found what=child ours='' hint=look",
         "culvert: net is not up: gone\n"
         "    concerns      child\n"
         "    change        look\n"},
        {"success=no errmsg='not established after 5000ms' reason=ok",
         "culvert: net is not up: not established after 5000ms\n"},
    };
    for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
        struct vnode *m = tree_of(f[i].reply);
        struct buf b = {0};
        struct screen s = {&b, false};
        show_failure(&s, "net is not up", m);
        assert_string_equal(buf_str(&b), f[i].screen);
        buf_free(&b);
        vnode_free(m);
    }
}

static void times_and_sizes(void **state)
{
    (void)state;
    static const struct {
        void (*fn)(struct buf *, const char *);
        const char *in, *out;
    } t[] = {
        {screen_seconds, "0", "0s"},
        {screen_seconds, "59", "59s"},
        {screen_seconds, "60", "1m"},
        {screen_seconds, "3599", "59m 59s"},
        {screen_seconds, "3600", "1h"},
        {screen_seconds, "3605", "1h"},
        {screen_seconds, "7385", "2h 3m"},
        {screen_seconds, "93600", "1d 2h"},
        {screen_seconds, "-5", "-5"},
        {screen_seconds, "soon", "soon"},
        {screen_seconds, "", ""},
        {screen_bytes, "0", "0 B"},
        {screen_bytes, "1023", "1023 B"},
        {screen_bytes, "1024", "1.0 KiB"},
        {screen_bytes, "1048575", "1.0 MiB"},
        {screen_bytes, "18446744073709551615", "16.0 EiB"},
        {screen_bytes, "-", "- B"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        t[i].fn(&b, t[i].in);
        assert_string_equal(buf_str(&b), t[i].out);
        buf_free(&b);
    }
}

static void colours(void **state)
{
    (void)state;
    struct buf b = {0};
    struct screen s = {&b, true};
    screen_pad(&s, TINT_GOOD, "UP", 4);
    screen_tint(&s, TINT_NONE, "x");
    assert_string_equal(buf_str(&b), "\033[32mUP\033[0m  x");
    buf_free(&b);
}

/* a peer's identity must not move the cursor */
static void control_characters_stay_out(void **state)
{
    (void)state;
    struct vnode *m = tree_of("a {b=[x]}");
    vnode_value(m, "id", "a\033[2Jb\r\n\x7f");
    screen_scrub(m);
    assert_string_equal(vnode_get(m, "id"), "a?[2Jb???");
    vnode_free(m);
}

static void json(void **state)
{
    (void)state;
    struct vnode *m = tree_of("gw {n=1 l=[a b] none=[] s {}} gw {n=2}");
    struct buf b = {0};
    json_sections(&b, m);
    buf_puts(&b, "\n");
    json_object(&b, m->child);
    assert_string_equal(buf_str(&b),
                        "[{\"gw\":{\"n\":\"1\",\"l\":[\"a\",\"b\"],\"none\":[],\"s\":{}}},"
                        "{\"gw\":{\"n\":\"2\"}}]\n"
                        "{\"n\":\"1\",\"l\":[\"a\",\"b\"],\"none\":[],\"s\":{}}");
    buf_free(&b);
    vnode_free(m);
}

static void json_strings(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } t[] = {
        {"plain", "\"plain\""},
        {"\"q\\", "\"\\\"q\\\\\""},
        {"a\n\x01", "\"a\\u000a\\u0001\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xc0\xaf", "\"\\u00c0\\u00af\""},                       /* overlong */
        {"\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""},            /* surrogate */
        {"\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\""}, /* beyond Unicode */
        {"\xc3", "\"\\u00c3\""},                                  /* cut */
        {"\xff"
         "a",
         "\"\\u00ffa\""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        json_string(&b, t[i].in, strlen(t[i].in));
        assert_string_equal(buf_str(&b), t[i].out);
        buf_free(&b);
    }
}

/* Days count from now: what is over, what ends soon, what has time. */
static void days(void **state)
{
    (void)state;
    static const struct {
        int days;
        const char *text;
    } ends[] = {
        {-3, "expired 3 days ago"}, {10, "expires in 10 days"}, {400, "expires in 400 days"}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char date[64], tree[160];
        struct buf b = {0};
        struct screen s = {.out = &b};
        struct tm tm;
        time_t at = time(NULL) + ends[i].days * 86400 + (ends[i].days < 0 ? 60 : 3600);
        strftime(date, sizeof date, "%b %d %H:%M:%S %Y", gmtime_r(&at, &tm));
        snprintf(tree, sizeof tree, "1 {type=X509 flag=NONE not-after='%s'}", date);
        struct vnode *root = tree_of(tree);
        show_certs(&s, root);
        if (!strstr(buf_str(&b), ends[i].text))
            fail_msg("no \"%s\" in %s", ends[i].text, buf_str(&b));
        assert_non_null(strstr(buf_str(&b), date));
        vnode_free(root);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(screens),      cmocka_unit_test(failures),
        cmocka_unit_test(colours),      cmocka_unit_test(times_and_sizes),
        cmocka_unit_test(json),         cmocka_unit_test(control_characters_stay_out),
        cmocka_unit_test(json_strings), cmocka_unit_test(days),
        cmocka_unit_test(transforms),   cmocka_unit_test(interfaces),
        cmocka_unit_test(directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
