#include "skein/cluster/route.h"

const char *const route_place_names[ROUTE_PLACES] = {
	[ROUTE_HOST] = "host",
	[ROUTE_MX] = "mx",
	[ROUTE_SRV] = "srv",
	[ROUTE_DIRECT] = "direct",
};

const char *const route_tls_names[ROUTE_TLS_LEVELS] = {
	[ROUTE_TLS_NONE] = "none",
	[ROUTE_TLS_MAY] = "may",
	[ROUTE_TLS_ENCRYPT] = "encrypt",
	[ROUTE_TLS_VERIFY] = "verify",
	[ROUTE_TLS_DANE] = "dane",
	[ROUTE_TLS_DANE_ONLY] = "dane-only",
	[ROUTE_TLS_MTA_STS] = "mta-sts",
	[ROUTE_TLS_AUTO] = "auto",
};

const char *const route_order_names[ROUTE_ORDERS] = {
	[ROUTE_LISTED] = "listed",
	[ROUTE_WEIGHTED] = "weighted",
};

const char *const route_mechanism_names[ROUTE_MECHANISMS] = {
	[ROUTE_AUTH_AUTO] = "auto",
	[ROUTE_AUTH_PLAIN] = "plain",
	[ROUTE_AUTH_LOGIN] = "login",
	[ROUTE_AUTH_XOAUTH2] = "xoauth2",
};

const char *const route_return_path_names[ROUTE_RETURN_PATHS] = {
	[ROUTE_RETURN_KEEP] = "keep",
	[ROUTE_RETURN_SRS] = "srs",
	[ROUTE_RETURN_VERP] = "verp",
};
