/*
 * contract_int -- what the files of contract share: the reader of one document.
 *
 * Reading never stops at a finding: a part that is wrong keeps its zeroed value and the rest is
 * checked, so that one run tells everything. Whether there is a contract is decided at the end by
 * counting errors.
 */
#pragma once

#include "contract/contract.h"

typedef enum {
#define CONTRACT_REFUSAL(name, rule) CONTRACT_REFUSAL_##name,
#include "contract/refusal.def"
#undef CONTRACT_REFUSAL
} ContractRefusal;

typedef Vec(Str) StrVec;

/* A list of names that a word is looked up in. */
typedef struct {
    const Str *items;
    size_t count;
} Words;

/* Arrays of exactly one table, as Words. */
#define WORDS(array) ((Words){.items = (array), .count = COUNT_OF(array)})

typedef struct {
    Str name;
    bool is_required;
} KeyRow;

typedef struct {
    YamlReader yaml;
    Arena *arena;
    const ContractKnown *known; /* never NULL */
    Contract *contract;         /* being filled */
    Clause *contract_clauses;   /* those of the contract, being filled */
    Vec(const Macro *) macros;  /* those that have been read */
} ContractReader;

/* Adds a finding at the node. */
void contract_refuse(const ContractReader *reader, ContractRefusal refusal, const YamlNode *node,
                     const char *format, ...) PRINTF_LIKE(4, 5);
/* True when the node is a mapping; else a finding. Adds findings for members that are unknown or,
   being required, missing. */
bool contract_check_mapping(const ContractReader *reader, const YamlNode *node, const KeyRow *keys,
                            size_t count);
/* The text of a scalar that is one of the words: its number, else a finding that names the nearest
   one and gives false. `what` is what the word is: "day", "rounding rule". */
bool contract_word(const ContractReader *reader, const YamlNode *node, const char *what,
                   Words words, size_t *ret_index);
/* The text of a scalar node, else a finding. */
bool contract_text(const ContractReader *reader, const YamlNode *node, Str *ret_text);
/* An id: a lower-case letter or digit, then those and '.', '-': at most 64 bytes. */
bool contract_id(const ContractReader *reader, const YamlNode *node, Str *ret_id);
/* "; did you mean \"x\"?" or nothing. */
Str contract_hint(Arena *arena, Str word, Words words);
/* Position of the word, or SIZE_MAX. */
size_t contract_words_find(Words words, Str word);

/* Dimensions and inputs into the contract. */
void contract_read_dimensions(ContractReader *reader, const YamlNode *mapping);
void contract_read_inputs(ContractReader *reader, const YamlNode *mapping);
void contract_read_output(ContractReader *reader, const YamlNode *mapping);
void contract_check_output(ContractReader *reader, const YamlNode *mapping);
/* The document's clauses into the contract, with the values that they share (or NULL). */
void contract_read_clauses(ContractReader *reader, const YamlNode *list, const YamlNode *values);
/* A rate table: a list of cells, or one amount for everyone. `gate` is the clause's, or NULL. */
void contract_read_rate(const ContractReader *reader, const YamlNode *node, const Gate *gate,
                        RateTable *table);

/* --- eval.c --- */
/* Marks the node and all that it rests on. */
void contract_mark_used(const Contract *contract, NodeId id, bool *used);
/* Only one clause and what it rests on; the others of the outcome are empty. */
MUST_USE ErrorCode contract_evaluate_clause(Arena *arena, ContractFacts *facts, size_t clause,
                                            DiagList *diags, const Outcome **ret_outcome);

/* --- explain_graph.c --- */
void contract_explain_graph(const Contract *contract, size_t number, StrBuf *out, Arena *arena);
