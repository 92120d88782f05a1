/* Examples of the RFCs. */
#ifndef TESTS_UNIT_PROTO_DKIM_DKIM_VECTORS_H
#define TESTS_UNIT_PROTO_DKIM_DKIM_VECTORS_H

/* RFC 6376 A.2, C */
static const char rfc6376_message[] = "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"
				      "      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
				      "      h=Received : From : To : Subject : Date : Message-ID;\r\n"
				      "      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
				      "      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n"
				      "        4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"
				      "        KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n"
				      "        4bmp/YzhwvcubU4=;\r\n"
				      "Received: from client1.football.example.com  [192.0.2.1]\r\n"
				      "      by submitserver.example.com with SUBMISSION;\r\n"
				      "      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n"
				      "From: Joe SixPack <joe@football.example.com>\r\n"
				      "To: Suzie Q <suzie@shopping.example.net>\r\n"
				      "Subject: Is dinner ready?\r\n"
				      "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
				      "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
				      "\r\n"
				      "Hi.\r\n"
				      "\r\n"
				      "We lost the game. Are you hungry yet?\r\n"
				      "\r\n"
				      "Joe.\r\n";
static const char rfc6376_record[] =
	"v=DKIM1; p="
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjx"
	"OCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6m"
	"cwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

/* RFC 8463 A.3: two signatures of one message. */
static const char rfc8463_fields[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
				     " d=football.example.com; i=@football.example.com;\r\n"
				     " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
				     " subject : date : message-id : from : subject : date;\r\n"
				     " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
				     " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
				     " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
				     "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
				     " d=football.example.com; i=@football.example.com;\r\n"
				     " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
				     " date : message-id : from : subject : date;\r\n"
				     " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
				     " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
				     " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
				     " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n";
static const char rfc8463_message[] = "From: Joe SixPack <joe@football.example.com>\r\n"
				      "To: Suzie Q <suzie@shopping.example.net>\r\n"
				      "Subject: Is dinner ready?\r\n"
				      "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
				      "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
				      "\r\n"
				      "Hi.\r\n"
				      "\r\n"
				      "We lost the game.  Are you hungry yet?\r\n"
				      "\r\n"
				      "Joe.\r\n";
static const char rfc8463_ed25519_signature[] =
	"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";

#endif
