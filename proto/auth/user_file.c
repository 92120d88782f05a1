#include "skein/proto/auth/user_file.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/base/base64.h"
#include "skein/proto/base/table.h"
#include "skein/proto/base/utf8.h"

#define SCRAM_SCHEME "SCRAM-SHA-256$"

enum { NAME_MAX_LEN = 128, ITEM_MAX_LEN = 320, ITERATIONS_MAX = 10000000 };

struct user {
	struct user_record record;
	char *key; /* the name in lower case */
};

struct user_file {
	struct table by_name;
	struct user *users;
	size_t count, cap;
	struct arena arena;
};

static const char *parse_line(struct user_file *file, struct span line);
static const char *parse_word(struct user_file *file, struct span word, struct user_record *record);

/* The next line without its end. */
static struct span take_line(struct span *text)
{
	size_t len = span_find(*text, '\n');
	struct span line = span_take(*text, len);

	*text = span_drop(*text, len < text->len ? len + 1 : len);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* The next word of a line; empty at its end. */
static struct span take_word(struct span *line)
{
	struct span word;
	size_t len = 0;

	*line = span_trim(*line);
	while (len < line->len && line->ptr[len] != ' ' && line->ptr[len] != '\t')
		len++;
	word = span_take(*line, len);
	*line = span_drop(*line, len);
	return word;
}

static bool has_user(struct span line)
{
	line = span_trim(line);
	return line.len && line.ptr[0] != '#';
}

static void index_users(struct user_file *file, const uint64_t seed[2])
{
	table_init(&file->by_name, seed);
	for (size_t i = 0; i < file->count; i++)
		table_put(&file->by_name, span_of_str(file->users[i].key), &file->users[i]);
}

struct user_file *user_file_parse(struct span text, const uint64_t seed[2], struct user_file_fault *fault_out)
{
	struct user_file *file = mem_zalloc(sizeof(*file));

	*fault_out = (struct user_file_fault){ 0, NULL };
	while (text.len && !fault_out->why) {
		struct span line = take_line(&text);

		fault_out->line++;
		if (line.len > USER_FILE_LINE_MAX)
			fault_out->why = "the line is too long";
		else if (has_user(line))
			fault_out->why = parse_line(file, line);
	}
	index_users(file, seed);
	if (!fault_out->why && file->by_name.count != file->count) {
		fault_out->why = "a user is there twice";
		fault_out->line = 0;
	}
	if (fault_out->why)
		user_file_free(&file);
	return file;
}

void user_file_free(struct user_file **file_ptr)
{
	struct user_file *file = *file_ptr;

	if (!file)
		return;
	for (size_t i = 0; i < file->count; i++) {
		char *hash = (char *)(uintptr_t)file->users[i].record.hash;

		mem_wipe(hash, strlen(hash));
		mem_wipe(&file->users[i].record.scram, sizeof(file->users[i].record.scram));
	}
	table_fini(&file->by_name);
	arena_fini(&file->arena);
	mem_free(file->users);
	mem_free(file);
	*file_ptr = NULL;
}

static char *lower_case(struct arena *arena, struct span text)
{
	char *copy = arena_strdup(arena, text);

	for (size_t i = 0; i < text.len; i++)
		copy[i] = ascii_lower(copy[i]);
	return copy;
}

const struct user_record *user_file_find(const struct user_file *file, struct span name)
{
	struct arena arena = { 0 };
	struct user *user = table_get(&file->by_name, span_of(lower_case(&arena, name), name.len));

	arena_fini(&arena);
	return user ? &user->record : NULL;
}

const struct user_record *user_file_next(const struct user_file *file, size_t *cursor)
{
	return *cursor < file->count ? &file->users[(*cursor)++].record : NULL;
}

/* ---- one line ---- */

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= 0x20 || text.ptr[i] == 0x7f)
			return false;
	return utf8_is_valid(text);
}

const char *user_name_fault(struct span name)
{
	if (!name.len || name.len > NAME_MAX_LEN)
		return "a name has 1 to 128 bytes";
	if (!is_printable(name) || span_find(name, '=') < name.len || name.ptr[0] == '#')
		return "a name has no spaces, no control characters, no '=' and no '#' at its start";
	return NULL;
}

const char *user_item_fault(struct span item)
{
	if (!item.len || item.len > ITEM_MAX_LEN)
		return "a group or address has 1 to 320 bytes";
	if (!is_printable(item) || span_find(item, ',') < item.len)
		return "a group or address has no spaces, no commas and no control characters";
	return NULL;
}

static void add_user(struct user_file *file, const struct user_record *record)
{
	if (file->count == file->cap) {
		file->cap = file->cap ? file->cap * 2 : 16;
		file->users = mem_realloc(file->users, file->cap * sizeof(*file->users));
	}
	file->users[file->count++] =
		(struct user){ *record, lower_case(&file->arena, span_of_str(record->name)) };
}

static const char *parse_line(struct user_file *file, struct span line)
{
	struct user_record record = { .hash = "" };
	struct span name = take_word(&line), word;
	const char *why = user_name_fault(name);

	while (!why && (word = take_word(&line)).len)
		why = parse_word(file, word, &record);
	if (!why && !*record.hash && !record.has_scram)
		why = "neither password= nor scram= is there";
	if (why)
		return why;
	record.name = arena_strdup(&file->arena, name);
	add_user(file, &record);
	return NULL;
}

static size_t count_items(struct span text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == ',';
	return count;
}

static const char *parse_list(struct user_file *file, struct span text, struct user_list *list_out)
{
	size_t count = count_items(text);
	const char **items;

	if (list_out->count)
		return "a key is there twice";
	if (count > USER_LIST_MAX)
		return "there are too many groups or addresses";
	items = arena_alloc(&file->arena, count * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		size_t len = span_find(text, ',');
		const char *why = user_item_fault(span_take(text, len));

		if (why)
			return why;
		items[i] = arena_strdup(&file->arena, span_take(text, len));
		text = span_drop(text, len < text.len ? len + 1 : len);
	}
	*list_out = (struct user_list){ items, count };
	return NULL;
}

/* The part before `end`, which is dropped too. False: `end` is not there. */
static bool split(struct span *text, char end, struct span *part_out)
{
	size_t len = span_find(*text, end);

	if (len == text->len)
		return false;
	*part_out = span_take(*text, len);
	*text = span_drop(*text, len + 1);
	return true;
}

static bool decode_exact(struct user_file *file, struct span text, uint8_t *out, size_t len)
{
	char *bytes = arena_alloc(&file->arena, base64_decoded_len_max(text.len) + 1);
	size_t decoded;

	if (!base64_decode(text, bytes, &decoded) || decoded != len)
		return false;
	memcpy(out, bytes, len);
	mem_wipe(bytes, decoded);
	return true;
}

static bool decode_salt(struct user_file *file, struct span text, struct span *salt_out)
{
	char *bytes = arena_alloc(&file->arena, base64_decoded_len_max(text.len) + 1);
	size_t len;

	if (!base64_decode(text, bytes, &len) || !len || len > SASL_SCRAM_SALT_MAX)
		return false;
	*salt_out = span_of(bytes, len);
	return true;
}

static const char *parse_scram(struct user_file *file, struct span text, struct user_record *record)
{
	struct span iterations, salt, stored;
	uint64_t count;

	if (record->has_scram)
		return "a key is there twice";
	if (!span_starts_with(text, SPAN_LIT(SCRAM_SCHEME)))
		return "scram= does not begin with SCRAM-SHA-256$";
	text = span_drop(text, sizeof(SCRAM_SCHEME) - 1);
	if (!split(&text, ':', &iterations) || !split(&text, '$', &salt) || !split(&text, ':', &stored) ||
		!span_parse_u64(iterations, ITERATIONS_MAX, &count) || !count ||
		!decode_salt(file, salt, &record->scram.salt) ||
		!decode_exact(file, stored, record->scram.stored_key, SASL_KEY_LEN) ||
		!decode_exact(file, text, record->scram.server_key, SASL_KEY_LEN))
		return "scram= is not SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER";
	record->scram.iterations = (uint32_t)count;
	record->has_scram = true;
	return NULL;
}

static const char *parse_word(struct user_file *file, struct span word, struct user_record *record)
{
	struct span key, value = word;

	if (span_eq(word, SPAN_LIT("disabled"))) {
		record->is_disabled = true;
		return NULL;
	}
	if (!split(&value, '=', &key))
		return "expected password=, scram=, groups=, addresses= or disabled";
	if (span_eq(key, SPAN_LIT("groups")))
		return parse_list(file, value, &record->groups);
	if (span_eq(key, SPAN_LIT("addresses")))
		return parse_list(file, value, &record->addresses);
	if (span_eq(key, SPAN_LIT("scram")))
		return parse_scram(file, value, record);
	if (!span_eq(key, SPAN_LIT("password")))
		return "unknown key: expected password=, scram=, groups=, addresses= or disabled";
	if (*record->hash)
		return "a key is there twice";
	if (!value.len || value.ptr[0] != '$' || !is_printable(value))
		return "password= is no hash of crypt(5)";
	record->hash = arena_strdup(&file->arena, value);
	return NULL;
}

/* ---- writing ---- */

static void format_list(struct buf *out, const char *key, struct user_list list)
{
	for (size_t i = 0; i < list.count; i++)
		buf_printf(out, "%s%s%s", i ? "," : " ", i ? "" : key, list.items[i]);
}

static void format_scram(struct buf *out, const struct sasl_scram_verifier *scram)
{
	buf_printf(out, " scram=" SCRAM_SCHEME "%u:", scram->iterations);
	base64_encode(out, scram->salt);
	buf_append_byte(out, '$');
	base64_encode(out, span_of((const char *)scram->stored_key, SASL_KEY_LEN));
	buf_append_byte(out, ':');
	base64_encode(out, span_of((const char *)scram->server_key, SASL_KEY_LEN));
}

static void format_record(struct buf *out, const struct user_record *record)
{
	buf_append_str(out, record->name);
	if (*record->hash)
		buf_printf(out, " password=%s", record->hash);
	if (record->has_scram)
		format_scram(out, &record->scram);
	format_list(out, "groups=", record->groups);
	format_list(out, "addresses=", record->addresses);
	if (record->is_disabled)
		buf_append_str(out, " disabled");
	buf_append_byte(out, '\n');
}

bool user_file_replace(struct span text, struct span name, const struct user_record *record, struct buf *out)
{
	bool was_there = false;

	while (text.len) {
		struct span line = take_line(&text), rest = line;

		if (has_user(line) && span_eq_nocase(take_word(&rest), name)) {
			was_there = true;
			if (record)
				format_record(out, record);
			continue;
		}
		buf_append(out, line);
		buf_append_byte(out, '\n');
	}
	if (record && !was_there)
		format_record(out, record);
	return was_there;
}
