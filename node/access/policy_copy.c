/*
 * The file `policy`: three comment lines, then the document. So it is a policy as it stands, and can be
 * looked at and checked like one.
 *
 *   # version 12 1800000060000
 *   # author ann@host
 *   # comment open the new printers
 */
#include "access/policy_copy.h"

#include "config/file.h"
#include "io/durable_file.h"
#include "skein/cluster/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_SIZE = 1200, HEAD_MAX = 4096 };

#define FILE_NAME "policy"

static void set(struct buf *buf, struct span bytes)
{
	buf_clear(buf);
	buf_append(buf, bytes);
}

void policy_copy_set(struct policy_copy *copy, const struct policy_note *note, struct span text)
{
	copy->version = note->version;
	set(&copy->author, note->author);
	set(&copy->comment, note->comment);
	set(&copy->text, text);
}

void policy_copy_fini(struct policy_copy *copy)
{
	buf_fini(&copy->author);
	buf_fini(&copy->comment);
	buf_fini(&copy->text);
}

struct policy_note policy_copy_note(const struct policy_copy *copy)
{
	return (struct policy_note){ copy->version, buf_span(&copy->author), buf_span(&copy->comment),
		buf_len(&copy->text) };
}

/* --- writing ------------------------------------------------------------------------------------- */

static void append_line(struct buf *out, const char *key, struct span text)
{
	buf_printf(out, "# %s ", key);
	for (size_t i = 0; i < text.len; i++)
		buf_append_byte(out, (unsigned char)text.ptr[i] < 0x20 ? ' ' : text.ptr[i]);
	buf_append_byte(out, '\n');
}

enum err policy_copy_write(const char *dir, const struct policy_copy *copy)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct buf bytes = { 0 };
	enum err err;

	if (dir_fd < 0)
		return ERR_IO;
	buf_printf(&bytes, "# version %llu %llu\n", (unsigned long long)copy->version.number,
		(unsigned long long)copy->version.at_ms);
	append_line(&bytes, "author", buf_span(&copy->author));
	append_line(&bytes, "comment", buf_span(&copy->comment));
	buf_append(&bytes, buf_span(&copy->text));
	err = durable_file_replace(dir_fd, FILE_NAME, FILE_NAME ".new", buf_span(&bytes));
	buf_fini(&bytes);
	close(dir_fd);
	return err;
}

/* --- reading ------------------------------------------------------------------------------------- */

/* Takes "# key ...\n" off `rest`. */
static bool take_line(struct span *rest, struct span head, struct span *value_out)
{
	size_t end = span_find(*rest, '\n');

	if (end == rest->len || !span_starts_with(*rest, head))
		return false;
	*value_out = span_drop(span_take(*rest, end), head.len);
	*rest = span_drop(*rest, end + 1);
	return true;
}

static bool parse_version(struct span text, struct policy_version *version_out)
{
	size_t blank = span_find(text, ' ');

	return blank < text.len && span_parse_u64(span_take(text, blank), UINT64_MAX, &version_out->number) &&
	       span_parse_u64(span_drop(text, blank + 1), UINT64_MAX, &version_out->at_ms) &&
	       version_out->number > 0;
}

enum err policy_copy_read(const char *dir, struct policy_copy *copy_out)
{
	struct policy_note note = { .size = 0 };
	struct span rest, version;
	struct buf bytes = { 0 };
	char path[PATH_SIZE];
	enum err err;

	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	err = file_read(path, POLICY_TEXT_MAX + HEAD_MAX, &bytes);
	rest = buf_span(&bytes);
	if (err)
		err = errno == ENOENT ? ERR_NOT_FOUND : err;
	else if (!take_line(&rest, SPAN_LIT("# version "), &version) ||
		 !parse_version(version, &note.version) ||
		 !take_line(&rest, SPAN_LIT("# author "), &note.author) ||
		 !take_line(&rest, SPAN_LIT("# comment "), &note.comment))
		err = ERR_CORRUPT;
	else
		policy_copy_set(copy_out, &note, rest);
	buf_fini(&bytes);
	return err;
}
