#include "skein/proto/mail/author.h"

#include "structured.h"

/* One mailbox as it is read. Quoted text and comments never get here. */
struct mailbox {
	struct author_domain domain;
	bool is_in_domain; /* behind an '@' */
	bool is_in_angle;
	bool is_over;   /* its "<...>" is closed: what follows is no part of it */
	bool has_gap;   /* white space or a comment since the domain's last byte */
	bool is_broken; /* no domain name */
};

static void begin_domain(struct mailbox *mailbox, bool is_in_domain)
{
	mailbox->domain.len = 0;
	mailbox->is_in_domain = is_in_domain;
	mailbox->has_gap = false;
	mailbox->is_broken = false;
}

/* RFC 5322 4.4: white space may stand around the dots, and nowhere else. */
static void add_byte(struct mailbox *mailbox, char byte)
{
	struct author_domain *domain = &mailbox->domain;
	bool is_joined = byte == '.' || !domain->len || domain->text[domain->len - 1] == '.';

	if (!mailbox->is_in_domain)
		return;
	if ((mailbox->has_gap && !is_joined) || domain->len == AUTHOR_DOMAIN_MAX || byte == '[' ||
		byte == '"')
		mailbox->is_broken = true;
	else
		domain->text[domain->len++] = ascii_lower(byte);
	mailbox->has_gap = false;
}

static void add_domain(struct author_domains *domains, const struct author_domain *domain)
{
	struct span text = span_of(domain->text, domain->len);

	for (size_t i = 0; i < domains->count; i++)
		if (span_eq(author_domain(domains, i), text))
			return;
	if (domains->count < AUTHOR_DOMAINS_MAX)
		domains->items[domains->count++] = *domain;
}

static void end_mailbox(struct author_domains *domains, struct mailbox *mailbox)
{
	struct author_domain *domain = &mailbox->domain;

	/* The dot of the root may be written. */
	if (domain->len && domain->text[domain->len - 1] == '.')
		domain->len--;
	if (domain->len && !mailbox->is_broken)
		add_domain(domains, domain);
	*mailbox = (struct mailbox){ .is_broken = false };
}

static void take_byte(struct author_domains *domains, struct mailbox *mailbox, char byte)
{
	switch (byte) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		mailbox->has_gap = true;
		break;
	case '<':
		begin_domain(mailbox, false);
		mailbox->is_in_angle = true;
		break;
	case '>':
		mailbox->is_in_angle = false;
		mailbox->is_over = true;
		break;
	case '@':
		begin_domain(mailbox, true);
		break;
	case ':': /* behind a route, or behind a group's name */
		begin_domain(mailbox, false);
		break;
	case ',':
	case ';':
		if (mailbox->is_in_angle)
			begin_domain(mailbox, false);
		else
			end_mailbox(domains, mailbox);
		break;
	default:
		add_byte(mailbox, byte);
	}
}

void author_domains_add(struct author_domains *domains, struct span value)
{
	struct mailbox mailbox = { .is_broken = false };

	for (size_t at = 0; at < value.len;) {
		char byte = value.ptr[at];

		if (byte == '(') {
			at = structured_skip_enclosed(value, at, '(', ')');
			mailbox.has_gap = true;
		} else if (byte == '"') {
			at = structured_skip_enclosed(value, at, '"', '"');
			add_byte(&mailbox, byte);
		} else {
			at++;
			if (!mailbox.is_over || byte == ',' || byte == ';')
				take_byte(domains, &mailbox, byte);
		}
	}
	end_mailbox(domains, &mailbox);
}

void author_domains_add_address(struct author_domains *domains, struct span address)
{
	struct mailbox mailbox = { .is_in_domain = true };
	size_t at = address.len;

	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	if (!at)
		return;
	for (; at < address.len; at++)
		add_byte(&mailbox, address.ptr[at]);
	end_mailbox(domains, &mailbox);
}
