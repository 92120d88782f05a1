#include "backup_file.h"

#include "file_write.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHA256_LEN = 32, SHA256_TEXT_SIZE = 2 * SHA256_LEN + 1 };

static void checksum(const json_t *backup, char text_out[SHA256_TEXT_SIZE])
{
	json_t *rest = json_copy((json_t *)(uintptr_t)backup);
	unsigned char digest[SHA256_LEN];
	unsigned len = 0;
	char *text;

	json_object_del(rest, "sha256");
	text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS);
	CHECK(text && EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) == 1 &&
		len == SHA256_LEN);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text_out + 2 * i, 3, "%02x", digest[i]);
	free(text);
	json_decref(rest);
}

/* --- writing -------------------------------------------------------------------------------------- */

bool backup_file_write(const char *path, json_t *backup, struct buf *why_out)
{
	char sum[SHA256_TEXT_SIZE];
	char *text;
	bool is_ok;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		buf_printf(why_out, "cannot make %s: %s", path, strerror(errno));
		return false;
	}
	checksum(backup, sum);
	json_object_set_new(backup, "sha256", json_string(sum));
	text = json_dumps(backup, JSON_INDENT(1));
	CHECK(text);
	is_ok = file_write_all(fd, span_of_str(text)) && file_write_all(fd, SPAN_LIT("\n")) && fsync(fd) == 0;
	if (!is_ok)
		buf_printf(why_out, "cannot write %s: %s", path, strerror(errno));
	if (close(fd) && is_ok) {
		buf_printf(why_out, "cannot write %s: %s", path, strerror(errno));
		is_ok = false;
	}
	if (!is_ok)
		unlink(path);
	free(text);
	return is_ok;
}

/* --- reading -------------------------------------------------------------------------------------- */

enum field_type { FIELD_TEXT, FIELD_NUMBER };

static const struct {
	const char *list;
	const char *field;
	enum field_type type;
} fields[] = {
	{ "policy", "number", FIELD_NUMBER },
	{ "policy", "at_ms", FIELD_NUMBER },
	{ "policy", "author", FIELD_TEXT },
	{ "policy", "comment", FIELD_TEXT },
	{ "policy", "text", FIELD_TEXT },
	{ "secrets", "name", FIELD_TEXT },
	{ "secrets", "author", FIELD_TEXT },
	{ "secrets", "key", FIELD_TEXT },
	{ "secrets", "sealed", FIELD_TEXT },
	{ "bans", "network", FIELD_TEXT },
	{ "bans", "until_ms", FIELD_NUMBER },
	{ "bans", "by", FIELD_TEXT },
	{ "bans", "why", FIELD_TEXT },
	{ "hops", "hop", FIELD_TEXT },
	{ "hops", "state", FIELD_TEXT },
	{ "hops", "until_ms", FIELD_NUMBER },
	{ "hops", "by", FIELD_TEXT },
	{ "hops", "why", FIELD_TEXT },
	{ "silences", "alert", FIELD_TEXT },
	{ "silences", "until_ms", FIELD_NUMBER },
	{ "silences", "by", FIELD_TEXT },
	{ "silences", "why", FIELD_TEXT },
};

static bool is_of_type(const json_t *value, enum field_type type)
{
	return type == FIELD_TEXT ? json_is_string(value)
				  : json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool check_fields(const json_t *backup, struct buf *why)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const json_t *list = json_object_get(backup, fields[i].list);

		if (!json_is_array(list)) {
			buf_printf(why, "%s is no list", fields[i].list);
			return false;
		}
		for (size_t row = 0; row < json_array_size(list); row++) {
			if (is_of_type(json_object_get(json_array_get(list, row), fields[i].field),
				    fields[i].type))
				continue;
			buf_printf(why, "%s[%zu].%s is not there, or of the wrong kind", fields[i].list, row,
				fields[i].field);
			return false;
		}
	}
	return true;
}

static bool check_head(const json_t *backup, struct buf *why)
{
	const char *format = json_string_value(json_object_get(backup, "format"));
	const char *sum = json_string_value(json_object_get(backup, "sha256"));
	json_int_t version = json_integer_value(json_object_get(backup, "version"));
	char wanted[SHA256_TEXT_SIZE];

	if (!format || strcmp(format, "skein-backup") != 0) {
		buf_append_str(why, "it is no backup of skeinctl");
		return false;
	}
	if (version != BACKUP_VERSION) {
		buf_printf(why,
			"it has version %lld, this skeinctl reads %d: use the one that wrote it, or a newer "
			"one",
			(long long)version, BACKUP_VERSION);
		return false;
	}
	checksum(backup, wanted);
	if (!sum || strcmp(sum, wanted) != 0) {
		buf_append_str(why, "its checksum is wrong: it was changed, or damaged");
		return false;
	}
	return true;
}

static json_t *parse(const char *path, struct buf *why)
{
	FILE *file = fopen(path, "rbe");
	json_error_t error;
	json_t *json = NULL;

	if (!file)
		buf_printf(why, "%s", strerror(errno));
	else if (fseek(file, 0, SEEK_END) || ftell(file) > BACKUP_SIZE_MAX || fseek(file, 0, SEEK_SET))
		buf_append_str(why, "it is no file, or larger than 256 MiB");
	else if (!(json = json_loadf(file, JSON_REJECT_DUPLICATES, &error)))
		buf_printf(why, "it is no backup: line %d: %s", error.line, error.text);
	if (file)
		fclose(file);
	return json;
}

json_t *backup_file_read(const char *path, struct buf *why_out)
{
	struct buf why = { 0 };
	json_t *backup = parse(path, &why);

	if (backup && (!check_head(backup, &why) || !check_fields(backup, &why))) {
		json_decref(backup);
		backup = NULL;
	}
	if (!backup)
		buf_printf(why_out, "%s: %.*s", path, SPAN_ARGS(buf_span(&why)));
	buf_fini(&why);
	return backup;
}
