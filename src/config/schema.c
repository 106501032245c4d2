/*
 * The rows of the schema: swanctl.conf(5)'s keys with its defaults, and culvertd's own section.
 * What culvert does not do yet is listed too, so that it is refused by name, or accepted where the
 * value changes nothing. Help lines end up in culvert.conf(5).
 */
#include "config/schema.h"
#include "base/event.h"
#include "model/manual_sa.h"

const char *const scope_path[SC_COUNT] = {
    [SC_CONN] = "connections.<conn>",
    [SC_LOCAL] = "connections.<conn>.local<suffix>",
    [SC_REMOTE] = "connections.<conn>.remote<suffix>",
    [SC_CHILD] = "connections.<conn>.children.<child>",
    [SC_SECRET] = "secrets.<kind><suffix>",
    [SC_POOL] = "pools.<name>",
    [SC_AUTHORITY] = "authorities.<name>",
    [SC_MANUAL] = "sas.<name>",
    [SC_DAEMON] = "culvertd",
};

const char *const value_type_text[V_COUNT_OF] = {
    [V_BOOL] = "yes or no",
    [V_TIME] = "time",
    [V_COUNT] = "number",
    [V_BYTES] = "bytes",
    [V_DECIMAL] = "decimal number",
    [V_WORD] = "word",
    [V_MODE] = "word",
    [V_ADDRS] = "list of addresses",
    [V_PROPOSALS] = "list of proposals",
    [V_TS] = "list of traffic selectors",
    [V_AUTH] = "word",
    [V_ID] = "identity",
    [V_CERTS] = "list of files",
    [V_CA_ID] = "identity",
    [V_URIS] = "list of URIs",
    [V_FILE] = "file",
    [V_ADDR] = "address",
    [V_SPI] = "SPI",
    [V_KEY] = "key",
    [V_IFNAME] = "name",
    [V_PREFIXES] = "list of address/bits",
    [V_TEXT] = "text",
    [V_STRING] = "text",
    [V_VIPS] = "list of addresses",
    [V_NAMES] = "list of names",
    [V_POOL] = "list",
    [V_LANS] = "list of interfaces",
    [V_SECRET] = "secret",
    [V_OWNER] = "identity",
    [V_ANY] = "any",
    [V_FIXED] = "word",
    [V_REFUSED] = "not supported yet",
};

static const struct word revocations[] = {{"relaxed", REVOCATION_RELAXED},
                                          {"ifuri", REVOCATION_IFURI},
                                          {"strict", REVOCATION_STRICT},
                                          {NULL, 0}};
static const struct word send_certs[] = {
    {"ifasked", SEND_CERT_IFASKED}, {"always", SEND_CERT_ALWAYS}, {"never", SEND_CERT_NEVER},
    {"yes", SEND_CERT_ALWAYS},      {"no", SEND_CERT_NEVER},      {NULL, 0}};
static const struct word versions[] = {{"0", 0}, {"1", 1}, {"2", 2}, {NULL, 0}};
static const struct word uniques[] = {{"no", UNIQUE_NO},
                                      {"never", UNIQUE_NEVER},
                                      {"keep", UNIQUE_KEEP},
                                      {"replace", UNIQUE_REPLACE},
                                      {NULL, 0}};
static const struct word fragmentations[] = {
    {"yes", FRAG_YES},  {"accept", FRAG_ACCEPT}, {"force", FRAG_FORCE},
    {"no", FRAG_NO},    {"true", FRAG_YES},      {"1", FRAG_YES},
    {"false", FRAG_NO}, {"0", FRAG_NO},          {NULL, 0}};
/* The second names are those of older versions, which charon still takes. */
static const struct word starts[] = {{"none", START_NONE},
                                     {"trap", START_TRAP},
                                     {"start", START_START},
                                     {"trap|start", START_TRAP | START_START},
                                     {"start|trap", START_TRAP | START_START},
                                     {"clear", START_NONE},
                                     {"hold", START_TRAP},
                                     {"route", START_TRAP},
                                     {"restart", START_START},
                                     {NULL, 0}};
static const struct word dpds[] = {
    {"clear", DPD_CLEAR}, {"trap", DPD_TRAP},  {"restart", DPD_RESTART}, {"none", DPD_CLEAR},
    {"hold", DPD_TRAP},   {"route", DPD_TRAP}, {"start", DPD_RESTART},   {NULL, 0}};
static const struct word dfs[] = {{"yes", DF_COPY},  {"no", DF_CLEAR}, {"set", DF_SET},
                                  {"true", DF_COPY}, {"1", DF_COPY},   {"false", DF_CLEAR},
                                  {"0", DF_CLEAR},   {NULL, 0}};
static const struct word ecns[] = {{"yes", ECN_COPY}, {"no", ECN_NO},    {"true", ECN_COPY},
                                   {"1", ECN_COPY},   {"false", ECN_NO}, {"0", ECN_NO},
                                   {NULL, 0}};
static const struct word dscps[] = {
    {"out", DSCP_OUT}, {"in", DSCP_IN}, {"yes", DSCP_BOTH}, {"no", DSCP_NO}, {NULL, 0}};
static const struct word dscp_names[] = {
    {"cs0", 0},   {"le", 1},    {"cs1", 8},   {"af11", 10}, {"af12", 12}, {"af13", 14},
    {"cs2", 16},  {"af21", 18}, {"af22", 20}, {"af23", 22}, {"cs3", 24},  {"af31", 26},
    {"af32", 28}, {"af33", 30}, {"cs4", 32},  {"af41", 34}, {"af42", 36}, {"af43", 38},
    {"cs5", 40},  {"va", 44},   {"ef", 46},   {"cs6", 48},  {"cs7", 56},  {NULL, 0}};
static const struct word manual_modes[] = {
    {"tunnel", MODE_TUNNEL}, {"transport", MODE_TRANSPORT}, {"beet", MODE_BEET}, {NULL, 0}};
static const struct word levels[] = {{"error", LEVEL_ERROR},
                                     {"audit", LEVEL_AUDIT},
                                     {"control", LEVEL_CTRL},
                                     {"detail", LEVEL_DETAIL},
                                     {"raw", LEVEL_RAW},
                                     {"-1", LEVEL_ERROR},
                                     {"0", LEVEL_AUDIT},
                                     {"1", LEVEL_CTRL},
                                     {"2", LEVEL_DETAIL},
                                     {"3", LEVEL_RAW},
                                     {NULL, 0}};

/* In the order of enum nft_nat of io/nft.h. */
static const struct word nat_words[] = {{"auto", 0}, {"no", 1}, {"yes", 2}, {NULL, 0}};
static const struct word automatic[] = {{"auto", 0}, {NULL, 0}};
static const struct word fragments[] = {
    {"before", FRAGMENT_BEFORE}, {"after", FRAGMENT_AFTER}, {NULL, 0}};
static const struct word no_clamp[] = {{"no", MSS_CLAMP_NO}, {NULL, 0}};
static const struct word lan_ios[] = {
    {"tun", CONFIG_LAN_TUN}, {"packet", CONFIG_LAN_PACKET}, {"xdp", CONFIG_LAN_XDP}, {NULL, 0}};
static const struct word esp_ios[] = {{"auto", CONFIG_ESP_AUTO},
                                      {"raw", CONFIG_ESP_RAW},
                                      {"packet", CONFIG_ESP_PACKET},
                                      {"xdp", CONFIG_ESP_XDP},
                                      {NULL, 0}};

#define AT(type, field) .off = offsetof(type, field), .size = sizeof(((type *)0)->field)
#define NO_ONLY         "no|false|0|disabled"
#define YES_ONLY        "yes|true|1|enabled"

#define CONN(k, t, d, field, h)                                                                    \
    {                                                                                              \
        SC_CONN, k, t, d, h, AT(struct conn, field)
#define CHILD(k, t, d, field, h)                                                                   \
    {                                                                                              \
        SC_CHILD, k, t, d, h, AT(struct conn_child, field)
#define MANUAL(k, t, d, field, h)                                                                  \
    {                                                                                              \
        SC_MANUAL, k, t, d, h, AT(struct manual_sa, field)
#define DAEMON(k, t, d, field, h)                                                                  \
    {                                                                                              \
        SC_DAEMON, k, t, d, h, AT(struct config_daemon, field)
#define FIXED(s, k, d, only_, h)                                                                   \
    {                                                                                              \
        s, k, V_FIXED, d, h, .only = only_                                                         \
    }
#define REFUSED(s, k, h)                                                                           \
    {                                                                                              \
        s, k, V_REFUSED, "", h                                                                     \
    }
#define POOL(k, h)                                                                                 \
    {                                                                                              \
        SC_POOL, k, V_POOL, "", h                                                                  \
    }
#define UNUSED(s, k, d, h)                                                                         \
    {                                                                                              \
        s, k, V_ANY, d, h                                                                          \
    }

const struct row schema[] =
    {
        /* clang-format off */
    /* --- a connection --- */
    CONN("version", V_WORD, "0", version, "IKE version: 1, 2, or 0 to initiate IKEv2 and accept both. IKEv1 is spoken with pre-shared keys, in main and aggressive mode, for tunnels; one pair of selectors per child."), .words = versions},
    CONN("local_addrs", V_ADDRS, "%any", local, "Our addresses: addresses, names, subnets, ranges or %any. The first single address is the one we initiate from."), .aux = offsetof(struct conn, local_count)},
    CONN("remote_addrs", V_ADDRS, "%any", remote, "The peer's addresses, likewise. To initiate, at least one single address or name is needed."), .aux = offsetof(struct conn, remote_count)},
    CONN("local_port", V_COUNT, "500", local_port, "Our UDP port for IKE."), .min = 1, .max = 65535},
    CONN("remote_port", V_COUNT, "500", remote_port, "The peer's UDP port for IKE; with 500 the negotiation moves to 4500 behind a NAT."), .min = 1, .max = 65535},
    CONN("proposals", V_PROPOSALS, "default", ike, "IKE proposals, for example aes256gcm16-prfsha384-x25519 or aes128-sha256-modp2048; default stands for what RFC 8247 recommends."), .aux = offsetof(struct conn, ike_default), .min = PROTO_IKE},
    CONN("encap", V_BOOL, "no", encap, "Force UDP encapsulation of ESP, as if there were a NAT.")},
    CONN("mobike", V_BOOL, "yes", mobike, "Accepted, without effect yet: MOBIKE (RFC 4555) is not offered to the peer.")},
    CONN("fragmentation", V_WORD, "yes", fragmentation, "Messages too large for a datagram of fragment_size go in parts: yes announces that and does it when the peer announces it too; accept only receives them; force does not wait for the peer with IKEv1, where even the first message may be large; no refuses them. With IKEv1 this is the payload of Cisco and strongSwan."), .words = fragmentations},
    CONN("dpd_delay", V_TIME, "0s", dpd_delay_s, "Ask whether the peer is alive after this time without a sign of life; 0: never.")},
    CONN("dpd_timeout", V_TIME, "0s", dpd_timeout_s, "IKEv1 only: a peer that does not answer DPD (RFC 3706) for this time is dead; 0 and IKEv2 use the retransmission times.")},
    CONN("keyingtries", V_COUNT, "1", keyingtries, "Rounds of retransmissions for the first message; 0: forever."), .max = 100000},
    CONN("unique", V_WORD, "no", unique, "What happens to older IKE SAs of the same peer identity: no replaces on INITIAL_CONTACT, never ignores that, keep refuses the new one, replace deletes the old one."), .words = uniques},
    CONN("rekey_time", V_TIME, "4h", rekey_s, "Rekey the IKE SA after this time; 0: never. With reauth_time set the default is 0.")},
    CONN("reauth_time", V_TIME, "0s", reauth_s, "Authenticate anew, with a new IKE SA, after this time; 0: never.")},
    CONN("over_time", V_TIME, "10% of the longer of rekey_time and reauth_time", over_s, "Delete the IKE SA this long after its rekeying was due and failed.")},
    CONN("rand_time", V_TIME, "over_time", rand_s, "A random part of this time is subtracted from rekey_time and reauth_time, so that the peers do not collide.")},
    CONN("aggressive", V_BOOL, "no", aggressive, "IKEv1: initiate aggressive mode, and accept it. With a pre-shared key it shows a hash that a weak key can be guessed from; only connections that say yes do it.")},
    CONN("pull", V_BOOL, "yes", pull, "IKEv1's Mode Config: yes, who wants a virtual address asks for it; no, it is told without asking.")},
    FIXED(SC_CONN, "dscp", "000000", "000000|0", "DSCP of IKE packets."),
    FIXED(SC_CONN, "childless", "allow", "allow|never", "Childless IKE SAs (RFC 6023)."),
    CONN("send_certreq", V_BOOL, "yes", send_certreq, "Name our authorities to the peer, so that it can choose its certificate (CERTREQ).")},
    CONN("send_cert", V_WORD, "ifasked", send_cert, "Send our certificate and those between it and the root: when the peer asks for certificates, always or never."), .words = send_certs},
    REFUSED(SC_CONN, "ppk_id", "Identity of a post-quantum pre-shared key (RFC 8784)."),
    FIXED(SC_CONN, "ppk_required", "no", NO_ONLY, "Insist on a post-quantum pre-shared key."),
    CONN("vips", V_VIPS, "", vip, "Virtual addresses to ask the peer for: 0.0.0.0 and :: for any, or a certain one. What is assigned is put on the TUN device and takes dynamic's place in local_ts; name servers are only reported."), .aux = offsetof(struct conn, vip_count)},
    CONN("pools", V_NAMES, "", pool, "Pools, by name, to give the peer its virtual addresses from; dynamic in remote_ts stands for them."), .aux = offsetof(struct conn, pool_count)},
    FIXED(SC_CONN, "if_id_in", "0", "0", "XFRM interface id, inbound."),
    FIXED(SC_CONN, "if_id_out", "0", "0", "XFRM interface id, outbound."),
    FIXED(SC_CONN, "mediation", "no", NO_ONLY, "Mediation connection."),
    REFUSED(SC_CONN, "mediated_by", "Mediation connection to use."),
    REFUSED(SC_CONN, "mediation_peer", "Identity at the mediation server."),

    /* --- who we are --- */
    {SC_LOCAL, "auth", V_AUTH, "pubkey", "How we authenticate: psk, or pubkey with a private key of private/, rsa/, ecdsa/ or pkcs8/ and its certificate. Hashes for IKEv2 signatures may follow, as in pubkey-sha384 or rsa/pss-sha256. With IKEv1 a further section local-xauth { auth = xauth } gives a user's name and password; alone it is hybrid authentication.", AT(struct conn_auth, kind)},
    {SC_LOCAL, "id", V_ID, "our address", "Our identity: an address, a host name, a mail address, a distinguished name, or with a prefix such as fqdn: or keyid:. With certs the default is the certificate's subject, which is also taken when the certificate is not for the identity.", AT(struct conn_auth, id)},
    UNUSED(SC_LOCAL, "round", "0", "Order of authentication rounds; XAUTH is always the last."),
    {SC_LOCAL, "certs", V_CERTS, "by id", "Our certificates: files of x509/ beside the configuration, or absolute. Without them the certificate of x509/ that is for our identity is taken. Sections cert<suffix> { file = ... } do the same."},
    REFUSED(SC_LOCAL, "pubkeys", "Our raw public keys."),
    REFUSED(SC_LOCAL, "eap_id", "EAP identity."),
    REFUSED(SC_LOCAL, "aaa_id", "Identity of the EAP server."),
    {SC_LOCAL, "xauth_id", V_STRING, "id", "With auth = xauth: our user's name, as secrets.xauth<suffix>.id has it.", AT(struct conn_auth, xauth_id)},

    /* --- who the peer is --- */
    {SC_REMOTE, "auth", V_AUTH, "pubkey", "How the peer must authenticate: psk, or pubkey. Least sizes of keys and hashes for the chain of certificates may follow, as in rsa-2048-ecdsa-256-sha256-sha384, those for IKE's own signature behind ike:, as in pubkey-ike:rsa/pss-sha256; without ike: what is said of the chain is said of both. With IKEv1 a further section remote-xauth { auth = xauth } asks for a user's name and password.", AT(struct conn_auth, kind)},
    {SC_REMOTE, "id", V_ID, "%any", "The identity the peer must have; * as first label, user name or value within a distinguished name matches many. With pubkey the peer's certificate must be for it.", AT(struct conn_auth, id)},
    UNUSED(SC_REMOTE, "round", "0", "Order of authentication rounds; XAUTH is always the last."),
    {SC_REMOTE, "certs", V_CERTS, "any", "The peer's certificate must be one of these: files of x509/ beside the configuration, or absolute; sections cert<suffix> { file = ... } likewise."},
    {SC_REMOTE, "cacerts", V_CERTS, "any", "One of these authorities must be in the peer's chain: files of x509ca/ beside the configuration, or absolute; sections cacert<suffix> { file = ... } likewise.", .min = 1},
    {SC_REMOTE, "ca_id", V_CA_ID, "%any", "An authority of the peer's chain must have this identity: its subject, where * stands for any value, or a name of its subjectAltName."},
    REFUSED(SC_REMOTE, "pubkeys", "Raw public keys to accept."),
    REFUSED(SC_REMOTE, "groups", "Groups the peer must belong to."),
    REFUSED(SC_REMOTE, "cert_policy", "Certificate policies to require."),
    {SC_REMOTE, "revocation", V_WORD, "relaxed", "What to do when no fresh revocation list says whether a certificate is revoked: relaxed trusts it, ifuri refuses it if it names a list, strict refuses it. Lists come from x509crl/ and from authorities; nothing is fetched, and OCSP is not asked.", AT(struct conn_auth, revocation), .words = revocations},
    REFUSED(SC_REMOTE, "eap_id", "EAP identity to expect."),
    {SC_REMOTE, "xauth_id", V_STRING, "", "With auth = xauth: the only user's name to accept; without it every user of secrets { } is. Capitals make no difference to who a user is, in the secrets, with unique and for leases.", AT(struct conn_auth, xauth_id)},

    /* --- a child --- */
    CHILD("local_ts", V_TS, "dynamic", local_ts, "Our side's traffic: subnets, ranges, or dynamic for our own address, each with [protocol/port] if wanted; of ICMP type * 256 + code, opaque for fragments without ports.")},
    CHILD("remote_ts", V_TS, "dynamic", remote_ts, "The peer's side, likewise.")},
    CHILD("esp_proposals", V_PROPOSALS, "default", esp, "ESP proposals, for example aes128gcm16 or aes256-sha256-modp2048; a key exchange gives forward secrecy on rekeying; esn or noesn-esn for extended sequence numbers."), .aux = offsetof(struct conn_child, esp_default), .min = PROTO_ESP},
    CHILD("ah_proposals", V_PROPOSALS, "", esp, "AH proposals, for example sha256 or sha256-modp2048: packets are authenticated, addresses included, and not encrypted. With esp_proposals beside them every packet gets both, AH around ESP (RFC 2401 4.3): two SAs that come and go together. Only IKEv1 has such bundles, so this needs version = 1; with 2 it is refused, and with 0 as well, because IKEv2 would begin without AH. The key exchange is named in esp_proposals alone; a cipher there may go without integrity (aes128), as Cisco's esp-aes ah-sha-hmac has it, which RFC 8221 4 recommends against. AH passes no NAT (RFC 3715 2.1)."), .aux = offsetof(struct conn_child, esp_default), .min = PROTO_AH},
    CHILD("mode", V_MODE, "tunnel", mode, "tunnel; transport protects the packets between the two peers themselves and costs no second IP header; beet has the addresses of a tunnel, one on each side, and the size of transport: they are not in the packets. It is no standard: IKEv2 agrees on it with strongSwan and culvertd, and with others, who have tunnel mode alone, on that; a log event tells. pass and drop are policies without a tunnel. transport_proxy is refused.")},
    CHILD("start_action", V_WORD, "none", start_action, "none waits; trap negotiates when traffic comes; start negotiates at once; trap|start does both."), .words = starts},
    CHILD("dpd_action", V_WORD, "clear", dpd_action, "When the peer is found dead: clear, trap or restart."), .words = dpds},
    CHILD("close_action", V_WORD, "none", close_action, "When the peer closes the CHILD SA: none, trap or start."), .words = starts},
    CHILD("rekey_time", V_TIME, "1h", life.rekey_s, "Rekey after this time; 0: never.")},
    CHILD("life_time", V_TIME, "110% of rekey_time", life.life_s, "Delete the CHILD SA after this time.")},
    CHILD("rand_time", V_TIME, "life_time - rekey_time", rand_s, "A random part of it is subtracted from rekey_time.")},
    CHILD("rekey_bytes", V_BYTES, "0", life.rekey_bytes, "Rekey after this much traffic; 0: no limit.")},
    CHILD("life_bytes", V_BYTES, "110% of rekey_bytes", life.life_bytes, "Delete the CHILD SA after this much traffic.")},
    CHILD("rand_bytes", V_BYTES, "life_bytes - rekey_bytes", rand_bytes, "A random part of it is subtracted from rekey_bytes.")},
    CHILD("rekey_packets", V_COUNT, "0", life.rekey_packets, "Rekey after this many packets; 0: no limit."), .max = UINT64_MAX / 2},
    CHILD("life_packets", V_COUNT, "110% of rekey_packets", life.life_packets, "Delete the CHILD SA after this many packets."), .max = UINT64_MAX / 2},
    CHILD("rand_packets", V_COUNT, "life_packets - rekey_packets", rand_packets, "A random part of it is subtracted from rekey_packets."), .max = UINT64_MAX / 2},
    CHILD("replay_window", V_COUNT, "32", replay_window, "Packets that may come late; 0 turns replay protection off. `culvert show sas` advises one."), .max = 65536},
    CHILD("per_cpu_sas", V_BOOL, "no", per_cpu, "Further SAs with the same selectors, one for each worker that has traffic for them, if the peer agrees (RFC 9611). Without them one worker carries all traffic of the CHILD SA.")},
    CHILD("priority", V_COUNT, "0", priority, "Place of the policies in the SPD: the lower first, before all that are behind it. 0: automatic, which stands at 200000 for mode pass and drop, at 400000 for what is protected; so shunts come before tunnels, and any lower number before both. Of equal ones the narrower selectors come first, then drop, protection, pass."), .max = UINT32_MAX},
    CHILD("sha256_96", V_BOOL, "no", sha256_96, "Where sha256 is negotiated, an integrity value of 96 bits and not the 128 of RFC 4868, for peers that follow the draft before it. The peer is not told: it must do the same. A peer that negotiates the difference is offered the word sha256_96.")},
    FIXED(SC_CHILD, "updown", "", "", "Script to run when the CHILD SA comes and goes."),
    UNUSED(SC_CHILD, "hostaccess", "no", "A variable for the updown script."),
    FIXED(SC_CHILD, "policies", "yes", YES_ONLY, "Install policies."),
    UNUSED(SC_CHILD, "policies_fwd_out", "no", "Outbound forward policies of the Linux kernel."),
    CHILD("ipcomp", V_BOOL, "no", ipcomp, "Offer to compress packets before they are encrypted (IPComp with DEFLATE, RFC 3173), and accept it; packets that do not get smaller go as they are. Not with mode = beet.")},
    CHILD("inactivity", V_TIME, "0s", inactivity_s, "Close the CHILD SA after this time without traffic; 0: never.")},
    FIXED(SC_CHILD, "reqid", "0", "0", "Fixed reqid."),
    CHILD("interface", V_IFNAME, "", iface.name, "Route-based: the child gets a TUN interface of this name. What is routed into it is protected, and what the SAs bring comes out of it; several interfaces may have the same selectors. Children with the same name share it. Without local_ts and remote_ts everything may pass. Packets that are routed elsewhere are not the child's; the peer's own address must not be routed into it. It has a carrier, and routes into it count, while there are SAs; always where packets are to bring them up, that is with start_action = trap, or start without dpd_action = restart. So of two interfaces with dpd_action = restart the one with the better metric is used as long as its tunnel is up.")},
    CHILD("interface_addrs", V_PREFIXES, "", iface.addr, "Addresses of the interface, for example 10.255.0.1/30."), .aux = offsetof(struct conn_child, iface.addr_count), .max = IFACE_ADDRS_MAX},
    CHILD("interface_mtu", V_COUNT, "0", iface.mtu, "MTU of the interface, 68 or more, and 1280 where IPv6 passes; of what its children say the smallest counts. 0: what the outgoing link leaves to the packets inside, of its SAs the smallest."), .max = 65535},
    CHILD("interface_routes", V_BOOL, "no", iface.routes, "Routes of remote_ts into the interface, in the main table. Behind each stands a blackhole route with the worst metric: without the interface nothing leaves in clear.")},
    CHILD("mtu", V_COUNT, "0", ip.mtu, "culvert's own: the largest packet inside of the tunnel, by the operator's word: no probes are sent, and only the MTU of our own link, or an ICMP error of a router, lowers it. 0: it is found out."), .max = 65535},
    FIXED(SC_CHILD, "mark_in", "0/0x00000000", "0|0/0|0/0x00000000", "Netfilter mark, inbound."),
    FIXED(SC_CHILD, "mark_in_sa", "no", NO_ONLY, "Set mark_in on the SA."),
    FIXED(SC_CHILD, "mark_out", "0/0x00000000", "0|0/0|0/0x00000000", "Netfilter mark, outbound."),
    FIXED(SC_CHILD, "set_mark_in", "0/0x00000000", "0|0/0|0/0x00000000", "Mark to set on decrypted packets."),
    FIXED(SC_CHILD, "set_mark_out", "0/0x00000000", "0|0/0|0/0x00000000", "Mark to set on encrypted packets."),
    FIXED(SC_CHILD, "if_id_in", "0", "0", "XFRM interface id, inbound."),
    FIXED(SC_CHILD, "if_id_out", "0", "0", "XFRM interface id, outbound."),
    REFUSED(SC_CHILD, "label", "Security label."),
    UNUSED(SC_CHILD, "label_mode", "system", "How a security label is used."),
    FIXED(SC_CHILD, "tfc_padding", "0", "0", "Padding against traffic analysis."),
    FIXED(SC_CHILD, "hw_offload", "no", NO_ONLY "|auto", "Hardware offload."),
    CHILD("copy_df", V_WORD, "yes", ip.df, "The outer IPv4 header's DF in tunnel mode: yes copies it from the inner packet, no clears it, set (culvert's own) sets it always."), .words = dfs},
    CHILD("copy_ecn", V_WORD, "yes", ip.ecn, "ECN in tunnel mode: yes copies it to the outer header and back as RFC 6040 says (a mark that the inner transport could not see drops the packet); no leaves the outer field Not-ECT and ignores it on packets received."), .words = ecns},
    CHILD("fragment", V_WORD, "before", ip.fragment, "culvert's own: what happens to IPv4 packets without DF that are too big for the tunnel: before cuts them into fragments that are encrypted one by one; after encrypts them whole and leaves the outer packets to be cut, as is always done where selectors name ports and the peer takes no later fragments."), .words = fragments},
    CHILD("mss_clamp", V_COUNT, "0", ip.mss, "culvert's own: the largest MSS that SYNs of TCP may say, in both directions; 0: what the path MTU of the SA allows; no: they are left alone."), .max = 9000, .words = no_clamp},
    CHILD("copy_dscp", V_WORD, "out", ip.dscp, "DSCP in tunnel mode: out copies it to the outer header, in from the outer to the inner header of packets received, yes both, no neither. Where it is not copied to the outer header that has the one of the key dscp."), .words = dscps},
    CHILD("dscp", V_COUNT, "0", ip.dscp_value, "culvert's own: DSCP of the outer header with copy_dscp = no or in: a name of IANA's registry (ef, af41, cs6) or a number."), .max = 63, .words = dscp_names},

    /* --- secrets --- */
    {SC_SECRET, "secret", V_SECRET, "", "The pre-shared key: text, 0x and hex digits, or 0s and Base64. Needed."},
    {SC_SECRET, "id", V_OWNER, "%any", "An identity that the key belongs to; id-a, id-b ... for more. Without any, the key serves everybody."},

    {SC_SECRET, "file", V_FILE, "", "In sections private<suffix>, rsa<suffix>, ecdsa<suffix> and pkcs8<suffix>: the encrypted private key of that folder that the secret opens."},

    /* --- pools --- */
    POOL("addrs", "Addresses to give out: a subnet, whose first and last address stay out, or a range a-b."),
    POOL("dns", "Name servers that travellers are told."),
    POOL("nbns", "NetBIOS name servers."),
    POOL("dhcp", "DHCP servers."),
    POOL("netmask", "Netmask."),
    POOL("server", "Server."),
    POOL("address", "A further address."),
    POOL("subnet", "Subnets behind us, told as INTERNAL_IP4_SUBNET and INTERNAL_IP6_SUBNET."),
    POOL("split_include", "Subnets to be tunnelled (Cisco Unity). Any other attribute goes by its number: 28672 is Unity's banner, 28673 whether the password may be saved, 28674 the default domain."),
    POOL("split_exclude", "Subnets not to be tunnelled (Cisco Unity)."),

    /* --- authorities --- */
    {SC_AUTHORITY, "cacert", V_FILE, "", "The authority's certificate: a file of x509ca/ beside the configuration, or absolute. It is trusted."},
    {SC_AUTHORITY, "file", V_FILE, "", "The same, by an absolute name."},
    REFUSED(SC_AUTHORITY, "handle", "CKA_ID of the certificate."),
    REFUSED(SC_AUTHORITY, "slot", "Slot of the token."),
    REFUSED(SC_AUTHORITY, "module", "PKCS#11 module."),
    {SC_AUTHORITY, "crl_uris", V_URIS, "", "Where its revocation lists are: file:///... is read when the configuration is loaded; others are not fetched."},
    UNUSED(SC_AUTHORITY, "ocsp_uris", "", "Where its OCSP responders are; accepted, but OCSP is not asked."),
    UNUSED(SC_AUTHORITY, "cert_uri_base", "", "Base of hash-and-URL certificates; accepted, but they are not fetched."),

    /* --- SAs by hand --- */
    MANUAL("local", V_ADDR, "", local.addr, "Our end of the SAs.")},
    MANUAL("remote", V_ADDR, "", remote.addr, "The peer's end.")},
    MANUAL("spi_in", V_SPI, "", spi_in, "SPI of what we receive: the peer's spi_out.")},
    MANUAL("spi_out", V_SPI, "", spi_out, "SPI of what we send: the peer's spi_in.")},
    MANUAL("esp_proposals", V_PROPOSALS, "", esp, "The algorithms of ESP, for example aes128-sha256 or aes256-sha512-esn. Counter modes (GCM, CCM, CTR, ChaCha20) are accepted with a warning: after a restart their nonces repeat under the same key (RFC 8221 3)."), .aux = offsetof(struct manual_sa, esp_default), .min = PROTO_ESP},
    MANUAL("ah_proposals", V_PROPOSALS, "", ah, "The algorithm of AH instead, for example sha256. With esp_proposals beside it, AH goes around ESP (RFC 2401 4.3), and has SPIs and keys of its own: ah_spi_in to ah_auth_out."), .aux = offsetof(struct manual_sa, ah_default), .min = PROTO_AH},
    MANUAL("key_in", V_KEY, "", in.encr, "Encryption key of what we receive, and after it the salt where the algorithm has one; 0x hex or 0s Base64.")},
    MANUAL("key_out", V_KEY, "", out.encr, "Encryption key of what we send.")},
    MANUAL("auth_in", V_KEY, "", in.integ, "Integrity key of what we receive, where the encryption has no ICV of its own.")},
    MANUAL("auth_out", V_KEY, "", out.integ, "Integrity key of what we send.")},
    MANUAL("ah_spi_in", V_SPI, "", bundle.spi_in, "SPI of the AH around ESP that we receive: the peer's ah_spi_out.")},
    MANUAL("ah_spi_out", V_SPI, "", bundle.spi_out, "SPI of the AH around ESP that we send.")},
    MANUAL("ah_auth_in", V_KEY, "", bundle.in, "Integrity key of the AH around ESP that we receive.")},
    MANUAL("ah_auth_out", V_KEY, "", bundle.out, "Integrity key of the AH around ESP that we send.")},
    MANUAL("cpi_in", V_SPI, "", cpi_in, "Packets are compressed before they are protected (IPComp with DEFLATE, RFC 3173), where that makes them smaller; this is the CPI of what we receive: the peer's cpi_out. 2 is DEFLATE's own.")},
    MANUAL("cpi_out", V_SPI, "", cpi_out, "CPI of what we send.")},
    MANUAL("mode", V_WORD, "tunnel", mode, "What is protected: packets whole (tunnel), those of the two end points (transport), or those of one address on each side, which they do not carry (beet)."), .words = manual_modes},
    MANUAL("local_ts", V_TS, "dynamic", local_ts, "Our side of the traffic; dynamic is our end.")},
    MANUAL("remote_ts", V_TS, "dynamic", remote_ts, "The peer's side.")},
    MANUAL("encap", V_BOOL, "no", encap, "ESP in UDP (RFC 3948).")},
    MANUAL("local_port", V_COUNT, "4500", local.port, "Our UDP port, with encap: port_nat_t of culvertd."), .min = 1, .max = 65535},
    MANUAL("remote_port", V_COUNT, "4500", remote.port, "The peer's UDP port, with encap."), .min = 1, .max = 65535},
    MANUAL("replay_window", V_COUNT, "64", replay_window, "Packets; 0 accepts replays."), .max = 65536},
    MANUAL("priority", V_COUNT, "0", priority, "Place of the policy in the SPD, as of a connection's child: the lower first; 0: automatic, at 400000."), .max = UINT32_MAX},
    MANUAL("seq_out", V_COUNT, "0", seq_out, "The highest sequence number already sent under key_out and auth_out: the first packet has the next one. `culvert sa list` shows it, and the log when the SAs go. After a restart the peer takes nothing as replayed only if this is not below what was sent before; a number must never be used twice under a key (RFC 4303 2.2), which for counter modes (GCM, CCM, CTR, ChaCha20) gives both packets away, and with them the key of the ICV (RFC 4106 2). Too high by some millions does no harm; when it is not known for sure, take new keys. Read when the SAs are installed, not when they are there already. Of a bundle it counts for both."), .max = INT64_MAX},
    MANUAL("seq_in", V_COUNT, "0", seq_in, "The highest sequence number already received: packets with it or a lower one are refused. 0 takes again after a restart what was recorded before it."), .max = INT64_MAX},
    MANUAL("rekey_time", V_TIME, "0s", life.rekey_s, "An event tells after this time that the SAs want new keys, which nobody but the operator can give; 0: never.")},
    MANUAL("life_time", V_TIME, "0s", life.life_s, "The SAs go after this time; 0: never.")},
    MANUAL("rekey_bytes", V_BYTES, "0", life.rekey_bytes, "Likewise after so many bytes in one direction; 0: never.")},
    MANUAL("life_bytes", V_BYTES, "0", life.life_bytes, "The SAs go after so many bytes in one direction; 0: never.")},
    MANUAL("rekey_packets", V_COUNT, "0", life.rekey_packets, "Likewise after so many packets in one direction, and in any case when three quarters of the sequence numbers are used; 0: never."), .max = INT64_MAX},
    MANUAL("life_packets", V_COUNT, "0", life.life_packets, "The SAs go after so many packets in one direction; 0: never."), .max = INT64_MAX},
    MANUAL("copy_df", V_WORD, "yes", ip.df, "These six and mtu are as of a connection's child."), .words = dfs},
    MANUAL("copy_ecn", V_WORD, "yes", ip.ecn, "ECN between inner and outer header."), .words = ecns},
    MANUAL("copy_dscp", V_WORD, "out", ip.dscp, "DSCP between inner and outer header."), .words = dscps},
    MANUAL("dscp", V_COUNT, "0", ip.dscp_value, "DSCP of the outer header where it is not copied."), .max = 63, .words = dscp_names},
    MANUAL("fragment", V_WORD, "before", ip.fragment, "Packets that are too big are cut before they are encrypted or after."), .words = fragments},
    MANUAL("mss_clamp", V_COUNT, "0", ip.mss, "The largest MSS that SYNs of TCP may say."), .max = 9000, .words = no_clamp},
    MANUAL("mtu", V_COUNT, "0", ip.mtu, "The largest packet inside of the tunnel; 0: it is found out."), .max = 65535},

    /* --- the daemon --- */
    DAEMON("vici", V_TEXT, "unix:///run/culvert/culvert.vici", vici, "The control socket. --vici on the command line wins.")},
    DAEMON("log_level", V_WORD, "control", log_level, "error, audit, control, detail or raw; -1 to 3 mean the same. --log-level wins."), .words = levels},
    DAEMON("port", V_COUNT, "500", port, "UDP port for IKE."), .min = 1, .max = 65535},
    DAEMON("port_nat_t", V_COUNT, "4500", port_natt, "UDP port for IKE and ESP behind a NAT."), .min = 1, .max = 65535},
    DAEMON("fragment_size", V_COUNT, "1280", fragment_size, "The largest IP packet that carries an IKE message; larger ones go in parts where fragmentation allows it."), .min = 256, .max = 65535},
    DAEMON("retransmit_tries", V_COUNT, "5", retransmit_tries, "Retransmissions before the peer counts as dead."), .max = 100},
    DAEMON("retransmit_timeout", V_DECIMAL, "4.0", retransmit_timeout_ms, "Seconds before the first retransmission."), .min = 1000, .max = 3600},
    DAEMON("retransmit_base", V_DECIMAL, "1.8", retransmit_base_pct, "Each wait is this many times the one before."), .min = 100, .max = 10},
    DAEMON("half_open_timeout", V_DECIMAL, "30", half_open_timeout_ms, "Seconds after which an IKE SA that is not established is given up."), .min = 1000, .max = 3600},
    DAEMON("half_open_max", V_COUNT, "10000", half_open_max, "Half-open IKE SAs beyond which first messages are dropped."), .min = 1, .max = UINT32_MAX},
    DAEMON("cookie_threshold", V_COUNT, "30", cookie_threshold, "Half-open IKE SAs beyond which everybody is asked for a cookie (RFC 7296 2.6)."), .max = UINT32_MAX},
    DAEMON("block_threshold", V_COUNT, "0", init_limit_per_source, "Half-open IKE SAs of one address beyond which it is not answered; 0: off."), .max = UINT32_MAX},
    DAEMON("keep_alive", V_DECIMAL, "20", keepalive_ms, "Seconds between NAT keepalives (RFC 3948 4); 0: none."), .min = 1000, .max = 3600},
    DAEMON("make_before_break", V_BOOL, "yes", make_before_break, "Accepted, without effect yet: reauthentication takes the old SA down first.")},
    DAEMON("esp_interface", V_TEXT, "", esp_interface, "The Ethernet interface toward the peers, for esp_io.")},
    DAEMON("esp_io", V_WORD, "auto", esp_io, "How ESP without UDP is received and sent on esp_interface: xdp (AF_XDP), packet (AF_PACKET), raw (raw sockets); auto takes the first of them that works. What does not work falls back to the next, with a line in the log; without esp_interface, and on other interfaces, there are raw sockets. xdp and packet pass by the firewall's input and output chains."), .words = esp_ios},
    DAEMON("lan_interfaces", V_LANS, "", lan_interface, "The Ethernet interfaces toward our own networks, at most 8, for lan_io."), .aux = offsetof(struct config_daemon, lan_interfaces)},
    DAEMON("lan_io", V_WORD, "tun", lan_io, "How packets of our own networks come and go: tun (the kernel forwards them to and from the TUN device), or past the kernel's forwarding on lan_interfaces: packet (AF_PACKET, needs Linux 6.6; super-packets stay whole) or xdp (AF_XDP; for interfaces that deliver packets one by one). What does not work falls back to the next, with a line in the log. packet and xdp pass by the firewall's rules for forwarded packets, by connection tracking, NAT and rp_filter; what needs an answer or a judgement of a router goes through the kernel as with tun."), .words = lan_ios},
    DAEMON("tun", V_TEXT, "culvert0", tun, "Name of the TUN device.")},
    DAEMON("busy_poll", V_COUNT, "50", busy_poll, "Microseconds that a worker goes on looking for packets after the last one before it sleeps: an answer that comes meanwhile need not wake it, which on an idle CPU takes longer than all the rest. Others on that CPU go first. 0: it sleeps at once."), .max = 1000},
    DAEMON("workers", V_COUNT, "auto", workers, "Threads that carry packets, each with its own queue of the TUN device, sockets and SAs; auto: one for each CPU that the daemon may run on."), .min = 1, .max = 64, .words = automatic},
    DAEMON("mtu", V_COUNT, "1500", mtu, "The largest packet between gateways, with all that IPsec puts around. Interfaces and routes toward the peers that carry less are noticed, smaller links beyond them found out; where all carry more (jumbo frames), say so here. The MTU of the TUN device follows from it."), .min = 576, .max = 65535},
    DAEMON("mtu_probing", V_BOOL, "yes", mtu_probing, "Find out what the path to a peer carries by dummy packets of different sizes inside of the SA, which another culvert answers and others discard (RFC 8899, RFC 4303 2.6). no: neither asked nor answered; ICMP and what TCP inside does remain.")},
    DAEMON("route_table", V_COUNT, "220", route_table, "Routing table for the routes into the tunnels."), .min = 1, .max = UINT32_MAX},
    DAEMON("route_table_prio", V_COUNT, "220", route_table_prio, "Priority of the rule that leads there."), .min = 1, .max = 32765},
    DAEMON("fwmark", V_COUNT, "220", fwmark, "Mark of the daemon's own packets, which leads them past the tunnels."), .min = 1, .max = UINT32_MAX},
    DAEMON("fwmark_bits", V_COUNT, "28", fwmark_bits, "The lower of two neighbouring bits of packets' marks that are ours: they lead what no policy protects past the tunnels. Nothing else on this machine may set them."), .min = 0, .max = 30},
    DAEMON("nat_exemption", V_WORD, "auto", nat_exemption, "Keep what policies protect out of NAT rules of others, as a masquerade rule, under which no policy would cover it any more: yes, no, or auto, which looks for such rules at start and on reload. It costs the kernel's connection tracking. What a rule translates into an address that a policy covers is left to that rule: its packets are led to the TUN device (rules of iptables-legacy are not seen)."), .words = nat_words},
    DAEMON("sa_max", V_COUNT, "131072", sa_max, "Inbound SAs of one worker at most."), .min = 16, .max = 1u << 24},
    DAEMON("hold_max", V_COUNT, "1024", hold_max, "Packets held by one worker while tunnels come up."), .max = 1u << 20},
    DAEMON("hold_per_policy", V_COUNT, "32", hold_per_policy, "Packets held for one policy."), .max = 1u << 20},
    DAEMON("hold_time", V_DECIMAL, "30", hold_ms, "Seconds that a packet is held."), .min = 1000, .max = 3600},
/* clang-format on */
}
;
const size_t schema_count = sizeof schema / sizeof *schema;

const struct row *schema_find(enum scope scope, const char *key)
{
    for (size_t i = 0; i < schema_count; i++)
        if (schema[i].scope == scope && !strcmp(schema[i].key, key))
            return &schema[i];
    return NULL;
}
