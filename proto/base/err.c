#include "skein/proto/base/err.h"

const char *err_text(enum err err)
{
	switch (err) {
	case ERR_OK:
		return "ok";
	case ERR_IO:
		return "input/output error";
	case ERR_CORRUPT:
		return "stored data is damaged";
	case ERR_FULL:
		return "full";
	case ERR_TIMEOUT:
		return "timed out";
	case ERR_CLOSED:
		return "closed";
	case ERR_INVALID:
		return "invalid";
	case ERR_REFUSED:
		return "refused";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_BUSY:
		return "in use by another";
	case ERR_TLS:
		return "TLS failed";
	case ERR_UNKNOWN:
		return "outcome unknown";
	}
	return "unknown error";
}
