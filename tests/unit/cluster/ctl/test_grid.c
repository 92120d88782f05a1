#include "cmocka_all.h"

#include "grid.h"

#include <locale.h>

static const struct grid_column columns[] = { { .title = "NAME" }, { .title = "N", .is_number = true },
	{ .title = "TO" } };

static void add(struct grid *grid, const char *name, const char *number, const char *to)
{
	grid_add(grid, span_of_str(name), TINT_GOOD);
	grid_add(grid, span_of_str(number), TINT_NONE);
	grid_add(grid, span_of_str(to), TINT_NONE);
}

static void assert_prints(struct grid *grid, bool has_colour, size_t width, const char *wanted)
{
	struct buf out = { 0 };

	grid_print(grid, has_colour, width, &out);
	assert_span_equal(buf_span(&out), wanted);
	buf_fini(&out);
	grid_fini(grid);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "a", "1", "x");
	add(&grid, "abcdef", "12345", "y z");
	assert_int_equal(grid_rows(&grid), 2);
	assert_prints(&grid, false, 0,
		"NAME        N  TO\n"
		"a           1  x\n"
		"abcdef  12345  y z\n");
}

static void an_empty_grid_is_its_titles(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	assert_prints(&grid, false, 0, "NAME  N  TO\n");
}

static void lines_do_not_end_in_blanks(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "abcdef", "1", "");
	add(&grid, "", "", "");
	assert_prints(&grid, false, 0, "NAME    N  TO\nabcdef  1\n\n");
}

static void wide_and_combining_characters_count_as_the_terminal_shows_them(void **state)
{
	struct grid grid;

	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "\xe6\x97\xa5\xe6\x9c\xac", "1", "x"); /* two characters, four columns */
	add(&grid, "e\xcc\x81t\xc3\xa9", "2", "y");       /* four characters, three columns */
	assert_prints(&grid, false, 0,
		"NAME  N  TO\n"
		"\xe6\x97\xa5\xe6\x9c\xac  1  x\n"
		"e\xcc\x81t\xc3\xa9   2  y\n");
}

static void the_last_column_is_cut_to_the_width_of_the_terminal(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "a", "1", "12345678");
	add(&grid, "a", "1", "123456789");
	assert_prints(&grid, false, 17,
		"NAME  N  TO\n"
		"a     1  12345678\n"
		"a     1  1234567\xe2\x80\xa6\n");
}

static void a_terminal_too_narrow_for_that_wraps(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "a", "1", "123456789");
	assert_prints(&grid, false, 12, "NAME  N  TO\na     1  123456789\n");
}

static void colours_do_not_move_columns(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "ab", "1", "x");
	assert_prints(&grid, true, 0,
		"\033[2mNAME\033[0m  \033[2mN\033[0m  \033[2mTO\033[0m\n"
		"\033[32mab\033[0m    1  x\n");
}

static void what_peers_wrote_cannot_steer_the_terminal(void **state)
{
	struct grid grid;

	(void)state;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	add(&grid, "a\033[31m", "\r1", "x\n\xc2\x9b\xe2\x80\xae\xff");
	assert_prints(&grid, false, 0, "NAME     N  TO\na?[31m  ?1  x????\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(an_empty_grid_is_its_titles),
		cmocka_unit_test(lines_do_not_end_in_blanks),
		cmocka_unit_test(wide_and_combining_characters_count_as_the_terminal_shows_them),
		cmocka_unit_test(the_last_column_is_cut_to_the_width_of_the_terminal),
		cmocka_unit_test(a_terminal_too_narrow_for_that_wraps),
		cmocka_unit_test(colours_do_not_move_columns),
		cmocka_unit_test(what_peers_wrote_cannot_steer_the_terminal),
	};

	return cmocka_run_group_tests_name("grid", tests, NULL, NULL);
}
