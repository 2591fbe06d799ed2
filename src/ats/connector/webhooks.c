/* `webhooks:` of connector.yaml: how the ATS's own notifications are proved, and what they say. */
#include "ats/connector/loader.h"

const char *const connector_proofs[] = {
	[CONNECTOR_PROOF_HMAC_SHA256] = "hmac-sha256",
	[CONNECTOR_PROOF_TOKEN] = "token",
	[CONNECTOR_PROOF_NONE] = "none",
	NULL,
};

static bool is_header_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-'))
			return false;
	}
	return name.len > 0 && name.len <= 64;
}

static void read_header(struct definition *definition, const struct yaml_node *node,
			struct connector_webhooks *webhooks)
{
	const struct yaml_node *said = yaml_get(node, "header");

	if (webhooks->proof == CONNECTOR_PROOF_NONE) {
		if (said != NULL)
			definition_fault(definition, said->line,
					 "`header` does not go with the algorithm none");
		return;
	}
	if (definition_require(definition, node, "`signature`", "header") &&
	    definition_text(definition, node, "header", &webhooks->header) &&
	    !is_header_name(webhooks->header))
		definition_fault(definition, said->line, "`header` must be the name of a header");
}

static void read_signature(struct definition *definition, const struct yaml_node *node,
			   struct connector_webhooks *webhooks)
{
	static const char *const keys[] = {"algorithm", "header", "encoding", "prefix", NULL};
	static const char *const encodings[] = {"hex", "base64", NULL};
	size_t proof = 0, encoding = 0;

	if (!definition_check_mapping(definition, node, "`signature`", keys) &&
	    node->kind != YAML_MAPPING)
		return;
	definition_require(definition, node, "`signature`", "algorithm");
	definition_choice(definition, node, "algorithm", connector_proofs, &proof);
	definition_choice(definition, node, "encoding", encodings, &encoding);
	definition_text(definition, node, "prefix", &webhooks->prefix);
	webhooks->proof = (enum connector_proof)proof;
	webhooks->is_base64 = encoding == 1;
	if (webhooks->proof != CONNECTOR_PROOF_HMAC_SHA256 && yaml_get(node, "encoding") != NULL)
		definition_fault(definition, yaml_get(node, "encoding")->line,
				 "`encoding` goes with the algorithm hmac-sha256 only");
	read_header(definition, node, webhooks);
}

void webhooks_read(struct definition *definition, const struct yaml_node *root,
		   struct connector *connector)
{
	static const char *const keys[] = {"help",  "signature", "test", "id",
					   "event", "hints",     NULL};
	const struct yaml_node *node = yaml_get(root, "webhooks");
	struct connector_webhooks *webhooks = &connector->webhooks;

	if (node == NULL || (!definition_check_mapping(definition, node, "`webhooks`", keys) &&
			     node->kind != YAML_MAPPING))
		return;
	webhooks->is_there = true;
	definition_require(definition, node, "`webhooks`", "hints");
	if (definition_require(definition, node, "`webhooks`", "signature"))
		read_signature(definition, yaml_get(node, "signature"), webhooks);
	definition_text(definition, node, "help", &webhooks->help);
	expression_read(definition, node, "test", &webhooks->test);
	expression_read(definition, node, "id", &webhooks->id);
	expression_read(definition, node, "event", &webhooks->event);
	expression_read(definition, node, "hints", &webhooks->hints);
}
