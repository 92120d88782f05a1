/* Private keys made for these tests, used nowhere else. */
#ifndef TESTS_UNIT_PROTO_DKIM_DKIM_KEYS_H
#define TESTS_UNIT_PROTO_DKIM_DKIM_KEYS_H

/* RFC 8463 A.1: the private key, and the public one of its record. */
#define RFC8463_SEED   "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define RFC8463_PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
/* RFC 8463 A.1: the public RSA key. */
#define RFC8463_RSA                                                                                          \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Q" \
	"vx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kr" \
	"yOTIKT+l/K4w3QIDAQAB"

/* The same key twice: PKCS#1, PKCS#8. */
static const char rsa1024_pkcs1[] = "-----BEGIN RSA PRIVATE KEY-----\n"
				    "MIICXQIBAAKBgQCxi33wvVOX6rWKYzvviaRNxjHRGC5epYAReT7Ra+a0wWds4Q36\n"
				    "JT7t2WClP+Gc0h03rPPFuWOOPec4RG4mob+6JC3D/qtuHu3RdWHN38oP2Kny7rvZ\n"
				    "UXIzg/4qo20YgcpTD9ICorSmPXJyITvWJCNvCzVeOhH+MILroSz4DVW6GwIDAQAB\n"
				    "AoGAA7YgydmLV8+mP+BXLmi4MJAGFpLk1UGsbbEVKReSWRD58oK54hLJP/udU5cE\n"
				    "Rlz2E2XgKq/3bs/Id5qmmtQix95sxjb/JdpdxpEr1RBCyQsrGBDK7v2wz3H6PgCG\n"
				    "xFFzfq7VITVi8t5IhuAn26zyHS5K3jByw0SQ8ai05lFqzCECQQDmus4qG8rciV2h\n"
				    "kECHBGkmkFfyuCIH+52ujERklVfLmgm05RvjMSNtEzB4dezXsAgXYefEWo+ZOkX8\n"
				    "G55DM92pAkEAxP196HzK9vhFrr7Sd9G9gF6Ddgj9DnPBySuks0zxoOveyHYMxXbB\n"
				    "viw2sZr2+eW81Svx6oOJn9b+SEe5B5aMIwJBAL9/6EE21AZ61IWV7pihZoylXPmN\n"
				    "LmGlytfmf5VkBnxsGwZS6fSFAjwzoxU3+x2BcxXFItHrwCeTICcA3Tg1whECQA8U\n"
				    "fMQEcaEwZl03PHNxufkOwy+RBpZJpEcbMTOMq16vT9G2v8mKCtDdH56/BzMgNDF5\n"
				    "eL6ELU/wLG0qGG8NRlMCQQCaccTRWwc3MMPceKbNkjrD6OzNqG8Igtj/XFeFxAE9\n"
				    "teCxUqlKpERtJ8p/bWderXAc2cTODoT6mOyDKCMR0ikb\n"
				    "-----END RSA PRIVATE KEY-----\n";

static const char rsa1024_pem[] = "-----BEGIN PRIVATE KEY-----\n"
				  "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALGLffC9U5fqtYpj\n"
				  "O++JpE3GMdEYLl6lgBF5PtFr5rTBZ2zhDfolPu3ZYKU/4ZzSHTes88W5Y4495zhE\n"
				  "biahv7okLcP+q24e7dF1Yc3fyg/YqfLuu9lRcjOD/iqjbRiBylMP0gKitKY9cnIh\n"
				  "O9YkI28LNV46Ef4wguuhLPgNVbobAgMBAAECgYADtiDJ2YtXz6Y/4FcuaLgwkAYW\n"
				  "kuTVQaxtsRUpF5JZEPnygrniEsk/+51TlwRGXPYTZeAqr/duz8h3mqaa1CLH3mzG\n"
				  "Nv8l2l3GkSvVEELJCysYEMru/bDPcfo+AIbEUXN+rtUhNWLy3kiG4CfbrPIdLkre\n"
				  "MHLDRJDxqLTmUWrMIQJBAOa6ziobytyJXaGQQIcEaSaQV/K4Igf7na6MRGSVV8ua\n"
				  "CbTlG+MxI20TMHh17NewCBdh58Raj5k6RfwbnkMz3akCQQDE/X3ofMr2+EWuvtJ3\n"
				  "0b2AXoN2CP0Oc8HJK6SzTPGg697IdgzFdsG+LDaxmvb55bzVK/Hqg4mf1v5IR7kH\n"
				  "lowjAkEAv3/oQTbUBnrUhZXumKFmjKVc+Y0uYaXK1+Z/lWQGfGwbBlLp9IUCPDOj\n"
				  "FTf7HYFzFcUi0evAJ5MgJwDdODXCEQJADxR8xARxoTBmXTc8c3G5+Q7DL5EGlkmk\n"
				  "RxsxM4yrXq9P0ba/yYoK0N0fnr8HMyA0MXl4voQtT/AsbSoYbw1GUwJBAJpxxNFb\n"
				  "Bzcww9x4ps2SOsPo7M2obwiC2P9cV4XEAT214LFSqUqkRG0nyn9tZ16tcBzZxM4O\n"
				  "hPqY7IMoIxHSKRs=\n"
				  "-----END PRIVATE KEY-----\n";

#endif
