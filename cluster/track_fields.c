#include "track_fields.h"

#define NUMBER(name) offsetof(struct track_event, name)
#define TEXT(number) offsetof(struct track_event, text) + (number) * sizeof(struct span)

const struct track_field track_fields[FIELD_COUNT] = {
	[FIELD_TIME] = { FIELD_IS_TIME, "time", "date time", NUMBER(time_us) },
	[FIELD_NODE] = { FIELD_IS_TEXT, "node", "s-computername", TEXT(TRACK_NODE_NAME) },
	[FIELD_KIND] = { FIELD_IS_KIND, "event", "cs-method", NUMBER(kind) },
	[FIELD_SESSION] = { FIELD_IS_SESSION, "session", "x-session", NUMBER(session) },
	[FIELD_ID] = { FIELD_IS_TEXT, "id", "cs-uri-stem", TEXT(TRACK_ID) },
	[FIELD_CLIENT] = { FIELD_IS_TEXT, "client", "c-ip", TEXT(TRACK_CLIENT) },
	[FIELD_USER] = { FIELD_IS_TEXT, "user", "cs-username", TEXT(TRACK_USER) },
	[FIELD_HELO] = { FIELD_IS_TEXT, "helo", "cs-host", TEXT(TRACK_HELO) },
	[FIELD_TLS] = { FIELD_IS_TEXT, "tls", "cs-version", TEXT(TRACK_TLS_TEXT) },
	[FIELD_SENDER] = { FIELD_IS_TEXT, "sender", "x-sender", TEXT(TRACK_SENDER) },
	[FIELD_RECIPIENT] = { FIELD_IS_TEXT, "recipient", "x-recipient", TEXT(TRACK_RECIPIENT) },
	[FIELD_RECIPIENTS] = { FIELD_IS_NUMBER, "recipients", "x-recipients", NUMBER(recipients) },
	[FIELD_SIZE] = { FIELD_IS_NUMBER, "size", "cs-bytes", NUMBER(size) },
	[FIELD_HOP] = { FIELD_IS_TEXT, "hop", "x-hop", TEXT(TRACK_HOP) },
	[FIELD_CODE] = { FIELD_IS_NUMBER, "code", "sc-status", NUMBER(code) },
	[FIELD_STATUS] = { FIELD_IS_TEXT, "status", "x-status", TEXT(TRACK_STATUS) },
	[FIELD_TEXT] = { FIELD_IS_TEXT, "text", "x-text", TEXT(TRACK_TEXT) },
	[FIELD_RULE] = { FIELD_IS_TEXT, "rule", "x-rule", TEXT(TRACK_RULE) },
	[FIELD_ABOUT] = { FIELD_IS_TEXT, "about", "x-about", TEXT(TRACK_ABOUT) },
	[FIELD_ATTEMPTS] = { FIELD_IS_NUMBER, "attempts", "x-attempts", NUMBER(attempts) },
	[FIELD_LATENCY] = { FIELD_IS_DURATION, "latency_us", "time-taken", NUMBER(latency_us) },
	[FIELD_QUERY] = { FIELD_IS_QUERY, NULL, "cs-uri-query", 0 },
};

static const char *const kind_names[TRACK_KIND_COUNT] = {
	[TRACK_CONNECT] = "CONNECT",
	[TRACK_TLS] = "TLS",
	[TRACK_AUTH] = "AUTH",
	[TRACK_REJECT] = "REJECT",
	[TRACK_DISCONNECT] = "DISCONNECT",
	[TRACK_RECEIVE] = "RECEIVE",
	[TRACK_DISCARD] = "DISCARD",
	[TRACK_FILTER] = "FILTER",
	[TRACK_INSPECT] = "INSPECT",
	[TRACK_HOLD] = "HOLD",
	[TRACK_RELEASE] = "RELEASE",
	[TRACK_CANCEL] = "CANCEL",
	[TRACK_RETRY] = "RETRY",
	[TRACK_DEFER] = "DEFER",
	[TRACK_DELIVER] = "DELIVER",
	[TRACK_FAIL] = "FAIL",
	[TRACK_EXPIRE] = "EXPIRE",
	[TRACK_BOUNCE] = "BOUNCE",
	[TRACK_CLAIM] = "CLAIM",
	[TRACK_TAKEOVER] = "TAKEOVER",
	[TRACK_ADOPT] = "ADOPT",
	[TRACK_ENDED] = "ENDED",
	[TRACK_POLICY] = "POLICY",
	[TRACK_NODE] = "NODE",
};

const char *track_kind_name(enum track_kind kind)
{
	return kind_names[kind];
}

bool track_kind_find(struct span name, enum track_kind *kind_out)
{
	for (unsigned kind = 0; kind < TRACK_KIND_COUNT; kind++) {
		if (span_eq_nocase(name, span_of_str(kind_names[kind]))) {
			*kind_out = (enum track_kind)kind;
			return true;
		}
	}
	return false;
}

const char *track_text_name(enum track_text text)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		if (track_fields[i].type == FIELD_IS_TEXT && track_fields[i].offset == TEXT(text))
			return track_fields[i].key;
	}
	CHECK(false);
	return NULL;
}
