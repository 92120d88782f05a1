#include "cmocka_all.h"

#include "policy/network_tree.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { NETWORKS = 3000, LOOKS = 20000 };

static uint64_t seed = 0x5eed0001;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Few different first bits, so that networks lie within one another and looks hit. */
static struct cidr draw_network(void)
{
	struct cidr cidr = { .is_v6 = draw() % 2 };
	unsigned bits = cidr.is_v6 ? 128 : 32;

	cidr.prefix = (unsigned char)(draw() % (bits + 1));
	for (unsigned i = 0; i < bits / 8; i++)
		cidr.bytes[i] = (unsigned char)(draw() % 4 ? 0 : draw() & 3);
	for (unsigned i = cidr.prefix; i < bits; i++)
		cidr.bytes[i / 8] = (unsigned char)(cidr.bytes[i / 8] & ~(0x80 >> i % 8));
	return cidr;
}

static void draw_address(struct sockaddr_storage *out)
{
	struct cidr cidr = draw_network();

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < 16; i++)
		cidr.bytes[i] = (unsigned char)(draw() % 4 ? cidr.bytes[i] : draw() & 3);
	if (cidr.is_v6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

		v6->sin6_family = AF_INET6;
		memcpy(&v6->sin6_addr, cidr.bytes, 16);
	} else {
		struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;

		v4->sin_family = AF_INET;
		memcpy(&v4->sin_addr, cidr.bytes, 4);
	}
}

static void check_look(const struct network_tree *tree, const struct cidr *networks, const uint32_t *numbers,
	size_t count, const struct sockaddr *addr)
{
	static bool expected[NETWORKS];
	struct network_hits hits = network_tree_find(tree, addr);
	size_t at = 0;

	memset(expected, 0, sizeof(expected));
	for (size_t i = 0; i < count; i++)
		if (cidr_contains(&networks[i], addr))
			expected[numbers[i]] = true;
	for (uint32_t number = 0; number < NETWORKS; number++)
		if (expected[number])
			assert_true(at < hits.count && hits.numbers[at++] == number);
	assert_int_equal(at, hits.count);
}

static void a_look_finds_what_looking_at_every_network_finds(void **state)
{
	static struct cidr networks[NETWORKS];
	static uint32_t numbers[NETWORKS];

	(void)state;
	for (size_t count = 0; count <= NETWORKS; count = count * 5 + 1) {
		struct network_tree tree = { .nodes = NULL };
		size_t found = 0;

		for (size_t i = 0; i < count; i++) {
			networks[i] = draw_network();
			numbers[i] = (uint32_t)(draw() % (count / 2 + 1));
			network_tree_add(&tree, &networks[i], numbers[i]);
		}
		assert_true(network_tree_finish(&tree));
		for (size_t i = 0; i < LOOKS / 10; i++) {
			struct sockaddr_storage addr;

			draw_address(&addr);
			check_look(&tree, networks, numbers, count, (const struct sockaddr *)(void *)&addr);
			found += network_tree_find(&tree, (const struct sockaddr *)(void *)&addr).count;
		}
		assert_true(count < 100 || found > LOOKS / 10);
		network_tree_fini(&tree);
	}
}

static void a_mapped_address_is_an_ipv4_address(void **state)
{
	struct network_tree tree = { .nodes = NULL };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct cidr v4, all6;

	(void)state;
	assert_null(cidr_parse(SPAN_LIT("10.0.0.0/8"), &v4));
	assert_null(cidr_parse(SPAN_LIT("::/0"), &all6));
	network_tree_add(&tree, &v4, 7);
	network_tree_add(&tree, &all6, 9);
	assert_true(network_tree_finish(&tree));
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &v6.sin6_addr), 1);
	assert_int_equal(network_tree_find(&tree, (struct sockaddr *)(void *)&v6).count, 1);
	assert_int_equal(network_tree_find(&tree, (struct sockaddr *)(void *)&v6).numbers[0], 7);
	v6.sin6_family = AF_UNIX;
	assert_int_equal(network_tree_find(&tree, (struct sockaddr *)(void *)&v6).count, 0);
	network_tree_fini(&tree);
}

static void a_tree_that_would_grow_without_bound_is_refused(void **state)
{
	struct network_tree tree = { .nodes = NULL };

	(void)state;
	for (uint32_t number = 0; number < 40000; number++) {
		struct cidr cidr = { .is_v6 = true, .prefix = (unsigned char)(number % 129) };

		network_tree_add(&tree, &cidr, number);
	}
	assert_true(network_tree_finish(&tree));
	network_tree_fini(&tree);
	for (uint32_t number = 0; number < 100000; number++) {
		struct cidr cidr = { .is_v6 = true, .prefix = (unsigned char)(number % 129) };

		network_tree_add(&tree, &cidr, number);
	}
	assert_false(network_tree_finish(&tree));
	network_tree_fini(&tree);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_finds_what_looking_at_every_network_finds),
		cmocka_unit_test(a_mapped_address_is_an_ipv4_address),
		cmocka_unit_test(a_tree_that_would_grow_without_bound_is_refused),
	};

	return cmocka_run_group_tests_name("network_tree", tests, NULL, NULL);
}
