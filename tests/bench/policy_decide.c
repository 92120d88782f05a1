/*
 * What a decision costs, printed: 10 000 networks in 1 000 rules, addresses in and outside of them, and the
 * time to compile that document. Not a test: run it on a quiet machine.
 */
#include "skein/cluster/policy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RULES = 1000, NETWORKS_PER_RULE = 10, ADDRESSES = 4096, ROUNDS = 500 };

static uint64_t seed = 0x5eed0003;

static uint32_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void write_document(struct buf *out)
{
	buf_append_str(out, "clients:\n");
	for (unsigned i = 0; i < RULES; i++) {
		buf_printf(out,
			"  - name: r%u\n    effect: %s\n    match:\n      listener: [smtp, submission]\n"
			"      network:\n",
			i, i % 3 ? "allow" : "require-tls");
		for (unsigned k = 0; k < NETWORKS_PER_RULE; k++) {
			uint32_t bits = draw();

			if (k % 4 == 3)
				buf_printf(out, "        - 2001:db8:%x:%x::/64\n", bits >> 16, bits & 0xffff);
			else
				buf_printf(out, "        - %u.%u.%u.0/24\n", 10 + bits % 4, bits >> 8 & 0x3f,
					bits >> 16 & 0xff);
		}
	}
	/* Rules that every address has to be tried against, too. */
	buf_append_str(out, "  - {name: staff, effect: allow, match: {user: '*@corp.example'}}\n");
}

int main(void)
{
	static struct sockaddr_in addresses[ADDRESSES];
	struct buf text = { 0 };
	struct report report = { 0 };
	double began = now_s(), spent;
	struct policy *policy;
	size_t found = 0;

	write_document(&text);
	began = now_s();
	policy = policy_parse(buf_span(&text), "bench", &report);
	if (!policy) {
		fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&report.text)));
		return 1;
	}
	printf("compile: %.1f ms for %zu bytes, %d networks in %d rules\n", (now_s() - began) * 1e3,
		buf_len(&text), RULES * NETWORKS_PER_RULE, RULES);
	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl((10 + draw() % 4) << 24 | (draw() & 0x3fffff)) };
	began = now_s();
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < ADDRESSES; i++) {
			const struct policy_subject subject = {
				.address = (const struct sockaddr *)(const void *)&addresses[i],
				.listener = SPAN_LIT("smtp"),
				.later = POLICY_LATER_TLS | POLICY_LATER_HELO,
			};
			struct policy_decision decision;

			policy_decide(policy, &subject, &decision);
			found += decision.rule != NULL;
		}
	}
	spent = now_s() - began;
	printf("decide: %.0f ns each, %.1f %% of the addresses in a network\n",
		spent * 1e9 / ADDRESSES / ROUNDS, 100.0 * (double)found / ADDRESSES / ROUNDS);
	policy_free(&policy);
	report_fini(&report);
	buf_fini(&text);
	return 0;
}
