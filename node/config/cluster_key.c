#include "config/cluster_key.h"

#include "config/file.h"
#include "config/vault.h"

#include <errno.h>

enum err cluster_key_read(const char *path, struct secret_keys **keys_out, struct buf *why_out)
{
	struct secret_keys *keys = vault_alloc(sizeof(*keys));
	struct buf text = { 0 };
	const char *why = NULL;
	bool is_long;
	enum err err;

	/* Now, because growing would leave copies behind. */
	buf_reserve(&text, 2 * 4096);
	err = file_read(path, SECRET_KEY_FILE_MAX, &text);
	is_long = err && errno == EFBIG;
	if (err)
		buf_printf(why_out, "cluster.key_file: %s %s%s\n", path, is_long ? "" : "cannot be read: ",
			is_long ? "is too long for a key: skeinctl key new makes one" : strerror(errno));
	else
		err = secret_key_parse(buf_span(&text), keys, &why);
	if (why)
		buf_printf(why_out, "cluster.key_file: %s %s\n", path, why);
	secret_text_wipe(&text);
	if (err)
		vault_free(keys, sizeof(*keys));
	else
		*keys_out = keys;
	return err;
}

void cluster_key_free(struct secret_keys **keys)
{
	if (*keys)
		vault_free(*keys, sizeof(**keys));
	*keys = NULL;
}
