#include "auth/pac.h"

/*
 * Little-endian: lengths and offsets of two names, the flags at 8, and with FLAG_HAS_SID the length and
 * offset of the account name (12, 14) and of the SID (16, 18). Offsets count from the beginning.
 */
enum { FLAGS_AT = 8, SID_LEN_AT = 16, SID_OFFSET_AT = 18, HEAD_LEN = 20, FLAG_HAS_SID = 2 };

static size_t get_u16(struct span bytes, size_t at)
{
	return (size_t)(uint8_t)bytes.ptr[at] | (size_t)(uint8_t)bytes.ptr[at + 1] << 8;
}

bool pac_read_sid(struct span upn_dns_info, struct sid *sid_out)
{
	size_t len, offset;

	if (upn_dns_info.len < HEAD_LEN || !(upn_dns_info.ptr[FLAGS_AT] & FLAG_HAS_SID))
		return false;
	len = get_u16(upn_dns_info, SID_LEN_AT);
	offset = get_u16(upn_dns_info, SID_OFFSET_AT);
	if (offset < HEAD_LEN || offset > upn_dns_info.len || len > upn_dns_info.len - offset)
		return false;
	return sid_from_bytes(span_take(span_drop(upn_dns_info, offset), len), sid_out);
}
