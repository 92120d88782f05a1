/* skeinctl user add, passwd, set, list, remove: the file of local users. No Redis is needed. */
#include "call.h"
#include "confirm.h"
#include "screen.h"
#include "secret_input.h"
#include "user_store.h"

#include "skein/cluster/secret.h"

#include <stdio.h>

/* What the words of one command ask for. */
struct order {
	const char *file; /* of users */
	const char *name;
	const char *password_file; /* NULL: standard input */
	struct call_texts groups, addresses;
	bool has_no_groups, has_no_addresses;
	bool with_scram, without_scram;
	bool is_disabled, is_enabled;
};

static enum ctl_exit refuse(const char *text, struct buf *why)
{
	buf_append_str(why, text);
	return session_usage(why);
}

/* ---- what all have in common ---- */

/* What user_store says is a line: told without its end. */
static enum ctl_exit tell_store(enum err err, struct buf *why)
{
	size_t len = buf_len(why);

	if (err)
		session_complain("%.*s", (int)(len ? len - 1 : 0), buf_span(why).ptr);
	buf_fini(why);
	return err ? CTL_NEGATIVE : CTL_OK;
}

static enum ctl_exit find_file(struct ctl_options *options, struct order *order, struct buf *why)
{
	order->file = options->users_file;
	if (order->file)
		return CTL_OK;
	return refuse(
		"which file of users? Say --users-file FILE, or --config FILE with auth.file.path", why);
}

static enum ctl_exit check_items(
	const struct call_texts *items, const char *option, bool are_addresses, struct buf *why)
{
	for (size_t i = 0; i < items->count; i++) {
		struct span item = span_of_str(items->items[i]);
		const char *fault = user_item_fault(item);
		size_t at = span_find(item, '@');

		if (!fault && are_addresses && (at == 0 || at + 1 >= item.len))
			fault = "an address is written in full: printer@example.org";
		if (!fault)
			continue;
		buf_printf(why, "%s \"%s\": %s", option, items->items[i], fault);
		return session_usage(why);
	}
	return CTL_OK;
}

static enum ctl_exit take_name(const struct call *call, struct order *order, struct buf *why)
{
	const char *fault;

	order->name = call_word(call, 0);
	fault = user_name_fault(span_of_str(order->name));
	if (!fault)
		return CTL_OK;
	buf_printf(why, "\"%s\": %s", order->name, fault);
	return session_usage(why);
}

static enum ctl_exit check_lists(const struct order *order, struct buf *why)
{
	enum ctl_exit exit = check_items(&order->groups, "--group", false, why);

	return exit ? exit : check_items(&order->addresses, "--address", true, why);
}

static enum ctl_exit tell_done(const struct ctl_options *options, const struct order *order, const char *what)
{
	if (options->is_json)
		screen_print_json(json_pack("{s:o, s:o}", "name", json_of_span(span_of_str(order->name)),
			"file", json_of_span(span_of_str(order->file))));
	else
		printf("%s %s\n", order->name, what);
	return CTL_OK;
}

static struct user_list list_of(const struct call_texts *texts)
{
	return (struct user_list){ texts->items, texts->count };
}

/* ---- add, passwd ---- */

typedef enum err store_fn(
	const char *path, const char *name, const struct user_change *change, struct buf *why);

static enum ctl_exit read_password(const struct order *order, struct buf *password, struct buf *why)
{
	static const struct secret_prompt prompt = { "password",
		"Password (is not shown): ", "The same again: ", USER_PASSWORD_MAX };

	if (!secret_input_read(order->password_file, &prompt, password, why))
		return session_usage(why);
	if (span_find(buf_span(password), '\0') < buf_len(password))
		return refuse("the password has a control character", why);
	buf_append_byte(password, '\0');
	return CTL_OK;
}

/* With a password, which is read here and nowhere else. */
static enum ctl_exit store_password(
	const struct order *order, store_fn *store, struct user_change *change, struct buf *why)
{
	struct buf password = { 0 };
	enum ctl_exit exit = read_password(order, &password, why);

	if (!exit) {
		change->password = buf_span(&password).ptr;
		exit = tell_store(store(order->file, order->name, change, why), why);
	}
	secret_text_wipe(&password);
	return exit;
}

enum ctl_exit cmd_user_add(struct ctl_options *options, const struct call *call)
{
	struct order order = { .password_file = call_text(call, "file"),
		.groups = call_texts(call, "group"),
		.addresses = call_texts(call, "address") };
	struct user_list groups = list_of(&order.groups), addresses = list_of(&order.addresses);
	struct user_change change = { .groups = &groups,
		.addresses = &addresses,
		.scram = call_has(call, "scram") ? USER_SCRAM_YES : USER_SCRAM_NO };
	struct buf why = { 0 };
	enum ctl_exit exit = take_name(call, &order, &why);

	if (!exit)
		exit = check_lists(&order, &why);
	if (!exit)
		exit = find_file(options, &order, &why);
	if (!exit)
		exit = store_password(&order, user_store_add, &change, &why);
	return exit ? exit : tell_done(options, &order, "is added");
}

enum ctl_exit cmd_user_passwd(struct ctl_options *options, const struct call *call)
{
	struct order order = { .password_file = call_text(call, "file"),
		.with_scram = call_has(call, "scram"),
		.without_scram = call_has(call, "no-scram") };
	struct user_change change = { .scram = USER_SCRAM_AS_BEFORE };
	struct buf why = { 0 };
	enum ctl_exit exit = take_name(call, &order, &why);

	if (!exit && order.with_scram && order.without_scram)
		exit = refuse("--scram and --no-scram: which one?", &why);
	if (!exit)
		exit = find_file(options, &order, &why);
	if (order.with_scram)
		change.scram = USER_SCRAM_YES;
	else if (order.without_scram)
		change.scram = USER_SCRAM_NO;
	if (!exit)
		exit = store_password(&order, user_store_change, &change, &why);
	return exit ? exit : tell_done(options, &order, "has a new password");
}

/* ---- set ---- */

static enum ctl_exit check_set(const struct order *order, struct buf *why)
{
	bool sets_groups = order->groups.count || order->has_no_groups;
	bool sets_addresses = order->addresses.count || order->has_no_addresses;

	if (order->groups.count && order->has_no_groups)
		return refuse("--group and --no-groups: which one?", why);
	if (order->addresses.count && order->has_no_addresses)
		return refuse("--address and --no-addresses: which one?", why);
	if (order->is_disabled && order->is_enabled)
		return refuse("--disable and --enable: which one?", why);
	if (!sets_groups && !sets_addresses && !order->is_disabled && !order->is_enabled)
		return refuse(
			"set what? --group, --no-groups, --address, --no-addresses, --disable or --enable",
			why);
	return check_lists(order, why);
}

enum ctl_exit cmd_user_set(struct ctl_options *options, const struct call *call)
{
	struct order order = { .groups = call_texts(call, "group"),
		.has_no_groups = call_has(call, "no-groups"),
		.addresses = call_texts(call, "address"),
		.has_no_addresses = call_has(call, "no-addresses"),
		.is_disabled = call_has(call, "disable"),
		.is_enabled = call_has(call, "enable") };
	struct user_list groups = list_of(&order.groups), addresses = list_of(&order.addresses);
	struct user_change change = { .groups = groups.count || order.has_no_groups ? &groups : NULL,
		.addresses = addresses.count || order.has_no_addresses ? &addresses : NULL,
		.is_disabled = order.is_disabled || order.is_enabled ? &order.is_disabled : NULL };
	struct buf why = { 0 };
	enum ctl_exit exit = take_name(call, &order, &why);

	if (!exit)
		exit = check_set(&order, &why);
	if (!exit)
		exit = find_file(options, &order, &why);
	if (!exit)
		exit = tell_store(user_store_change(order.file, order.name, &change, &why), &why);
	return exit ? exit : tell_done(options, &order, "is changed");
}

/* ---- list ---- */

static void add_list(struct grid *grid, struct user_list list)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < list.count; i++)
		buf_printf(&text, "%s%s", i ? " " : "", list.items[i]);
	grid_add(grid, buf_span(&text), TINT_NONE);
	buf_fini(&text);
}

/* What of the password is kept. */
static const char *login_of(const struct user_record *record)
{
	if (!record->has_scram)
		return "password";
	return *record->hash ? "password, SCRAM" : "SCRAM";
}

static void print_users(const struct user_file *file)
{
	static const struct grid_column columns[] = { { "NAME", false }, { "STATE", false },
		{ "LOGIN", false }, { "GROUPS", false }, { "ADDRESSES", false } };
	const struct user_record *record;
	struct grid grid;
	size_t cursor = 0;

	grid_init(&grid, columns, ARRAY_LEN(columns));
	while ((record = user_file_next(file, &cursor))) {
		bool is_good = !record->is_disabled;

		grid_add(&grid, span_of_str(record->name), TINT_NONE);
		grid_add(&grid, span_of_str(is_good ? "good" : "disabled"), is_good ? TINT_NONE : TINT_WARN);
		grid_add(&grid, span_of_str(login_of(record)), TINT_NONE);
		add_list(&grid, record->groups);
		add_list(&grid, record->addresses);
	}
	screen_print_grid(&grid);
}

static json_t *list_json(struct user_list list)
{
	json_t *items = json_array();

	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, json_of_span(span_of_str(list.items[i])));
	return items;
}

static json_t *users_json(const struct user_file *file)
{
	const struct user_record *record;
	json_t *users = json_array();
	size_t cursor = 0;

	while ((record = user_file_next(file, &cursor)))
		json_array_append_new(users,
			json_pack("{s:o, s:b, s:b, s:b, s:o, s:o}", "name",
				json_of_span(span_of_str(record->name)), "disabled", record->is_disabled,
				"password", *record->hash != '\0', "scram", record->has_scram, "groups",
				list_json(record->groups), "addresses", list_json(record->addresses)));
	return users;
}

static enum ctl_exit list(struct session *session, void *arg)
{
	const struct ctl_options *options = arg;
	struct user_file *file = NULL;
	struct buf why = { 0 };
	enum ctl_exit exit = tell_store(user_store_read(options->users_file, &file, &why), &why);

	(void)session;
	if (!exit && options->is_json)
		screen_print_json(users_json(file));
	else if (!exit)
		print_users(file);
	user_file_free(&file);
	return exit;
}

enum ctl_exit cmd_user_list(struct ctl_options *options, const struct call *call)
{
	struct order order = { .name = NULL };
	struct buf why = { 0 };
	enum ctl_exit exit = find_file(options, &order, &why);

	(void)call;
	return exit ? exit : session_run_locally(options, list, options);
}

/* ---- remove ---- */

static enum ctl_exit remove_all(
	const struct ctl_options *options, const struct order *order, const struct call *call)
{
	json_t *done = json_array();
	enum ctl_exit worst = CTL_OK;

	for (size_t i = 0; i < call->word_count; i++) {
		const char *name = call->words[i];
		struct buf why = { 0 };
		enum ctl_exit exit = tell_store(user_store_remove(order->file, name, &why), &why);

		if (!exit && options->is_json)
			json_array_append_new(done, json_of_span(span_of_str(name)));
		else if (!exit)
			printf("%s is removed\n", name);
		worst = exit > worst ? exit : worst;
	}
	if (options->is_json)
		screen_print_json(json_pack("{s:o}", "removed", json_incref(done)));
	json_decref(done);
	return worst;
}

enum ctl_exit cmd_user_remove(struct ctl_options *options, const struct call *call)
{
	struct order order = { .name = NULL };
	struct buf why = { 0 };
	enum ctl_exit exit = find_file(options, &order, &why);

	if (!exit)
		exit = confirm_ask(options,
			call->word_count == 1 ? "%zu user of %s will be forgotten, and logs in no more."
					      : "%zu users of %s will be forgotten, and log in no more.",
			call->word_count, order.file);
	return exit ? exit : remove_all(options, &order, call);
}
