/* skeinctl doctor: whether the key file opens what the cluster has sealed. */
#include "doctor.h"
#include "key_file.h"
#include "secret_rows.h"

static void check_row(struct doctor *doctor, const struct secret_row *row, const struct secret_keys *keys)
{
	struct buf text = { 0 };
	enum secret_opened opened = secret_open(keys, secret_store_label(row->name), row->sealed, &text);

	if (opened != SECRET_OPENED) {
		doctor_tell(doctor, DOCTOR_FAIL, "%.*s %s", SPAN_ARGS(row->name), secret_opened_text(opened));
		doctor_cure(doctor,
			"the cluster's key file, the same on all nodes; or set it again: skeinctl secret set "
			"%.*s",
			SPAN_ARGS(row->name));
	}
	secret_text_wipe(&text);
}

static void check_all(struct doctor *doctor, const struct secret_rows *rows)
{
	size_t before = doctor->row_count;
	struct secret_keys keys;
	struct buf why = { 0 };

	if (!key_file_read(doctor->options->key_file, &keys, &why)) {
		doctor_tell(doctor, DOCTOR_FAIL, "%.*s", SPAN_ARGS(buf_span(&why)));
		doctor_cure(doctor, "cluster.key_file, or --key-file; run this as who may read it");
		buf_fini(&why);
		return;
	}
	for (size_t i = 0; i < rows->count; i++)
		check_row(doctor, &rows->rows[i], &keys);
	secret_keys_wipe(&keys);
	if (doctor->row_count == before)
		doctor_tell(doctor, DOCTOR_OK, "the key opens all %zu", rows->count);
}

static void check_secrets(struct doctor *doctor)
{
	struct secret_rows rows;

	if (secret_rows_load(&rows, doctor->session, true) == CTL_OK) {
		if (!rows.count)
			doctor_tell(doctor, DOCTOR_OK, "there are none");
		else if (!doctor->options->key_file)
			doctor_tell(doctor, DOCTOR_SKIPPED,
				"there are %zu; say --key-file FILE, or --config FILE", rows.count);
		else
			check_all(doctor, &rows);
	}
	secret_rows_fini(&rows);
}

static const struct doctor_check checks[] = {
	{ "key", check_secrets },
};

const struct doctor_group doctor_secrets = { "secrets", DOCTOR_NEEDS_REDIS, checks, ARRAY_LEN(checks) };
