#include "key_file.h"

#include "file_write.h"
#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

bool key_file_read_all(int fd, size_t max, struct buf *out)
{
	ssize_t len = 1;

	/* At once: a buffer that grows leaves copies behind. */
	buf_reserve(out, max + 1);
	while (len > 0 && buf_len(out) <= max) {
		len = read(fd, buf_tail(out), max + 1 - buf_len(out));
		if (len < 0 && errno == EINTR)
			len = 1;
		else if (len > 0)
			buf_commit(out, (size_t)len);
	}
	if (len >= 0)
		errno = 0;
	return len >= 0 && buf_len(out) <= max;
}

bool key_file_read(const char *path, struct secret_keys *keys_out, struct buf *why_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is_read = false;
	struct buf text = { 0 };
	const char *why = NULL;

	if (fd >= 0) {
		is_read = key_file_read_all(fd, SECRET_KEY_FILE_MAX, &text);
		if (!is_read)
			why = errno ? strerror(errno) : "is too long for a key file";
		close(fd);
	} else {
		why = strerror(errno);
	}
	if (is_read && secret_key_parse(buf_span(&text), keys_out, &why) == ERR_OK)
		why = NULL;
	secret_text_wipe(&text);
	if (why)
		buf_printf(why_out, "key file %s: %s", path, why);
	return !why;
}

bool key_file_make(const char *path, struct secret_key_id *id_out, struct buf *why_out)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unsigned char bytes[SECRET_KEY_LEN], id[SECRET_KEY_ID_LEN];
	struct buf line = { 0 };
	bool is_written;

	if (fd < 0) {
		buf_printf(why_out, "%s: %s", path,
			errno == EEXIST ? "is there already; a key is never overwritten" : strerror(errno));
		return false;
	}
	CHECK(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
	buf_reserve(&line, SECRET_KEY_FILE_MAX);
	secret_key_format(bytes, &line);
	secret_key_id(bytes, id);
	*id_out = secret_key_id_text(id);
	/* Whatever the umask says. */
	is_written = fchmod(fd, 0600) == 0 && file_write_all(fd, buf_span(&line)) && fsync(fd) == 0;
	if (!is_written) {
		buf_printf(why_out, "%s: %s", path, strerror(errno));
		(void)unlink(path);
	}
	close(fd);
	mem_wipe(bytes, sizeof(bytes));
	secret_text_wipe(&line);
	return is_written;
}
