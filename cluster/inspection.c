#include "skein/cluster/inspection.h"

const char *const inspection_check_names[INSPECTION_CHECKS] = {
	[INSPECTION_SPF] = "spf",
	[INSPECTION_DKIM] = "dkim",
	[INSPECTION_DMARC] = "dmarc",
};

const char *const inspection_action_names[INSPECTION_ACTIONS] = {
	[INSPECTION_OFF] = "off",
	[INSPECTION_TAG] = "tag",
	[INSPECTION_REJECT] = "reject",
};

const char *const inspection_trouble_names[INSPECTION_TROUBLES] = {
	[INSPECTION_TROUBLE_ACCEPT] = "accept",
	[INSPECTION_TROUBLE_DEFER] = "defer",
	[INSPECTION_TROUBLE_REJECT] = "reject",
};
