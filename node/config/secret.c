#include "config/secret.h"

#include "config/file.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>

enum { SECRET_MAX = 1024 };

static struct span without_line_end(struct span text)
{
	if (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len && text.ptr[text.len - 1] == '\r')
		text.len--;
	return text;
}

static bool is_one_line(struct span text)
{
	return text.len && span_find(text, '\n') == text.len && span_find(text, '\r') == text.len &&
	       span_find(text, '\0') == text.len;
}

enum err secret_read(const char *path, char **secret_out)
{
	struct buf content = { 0 };
	struct span secret;
	enum err err;

	/* Now, because growing would leave copies behind. */
	buf_reserve(&content, 2 * 4096);
	err = file_read(path, SECRET_MAX + 2, &content);
	if (err && errno == EFBIG)
		err = ERR_INVALID;
	secret = without_line_end(buf_span(&content));
	if (!err && (!is_one_line(secret) || secret.len > SECRET_MAX))
		err = ERR_INVALID;
	if (!err)
		*secret_out = mem_strndup(secret.ptr, secret.len);
	mem_wipe(content.base, content.cap);
	buf_fini(&content);
	return err;
}

void secret_free(char **secret)
{
	if (!*secret)
		return;
	mem_wipe(*secret, strlen(*secret));
	mem_free(*secret);
	*secret = NULL;
}
