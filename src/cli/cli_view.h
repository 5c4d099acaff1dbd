/*
 * cli_view -- a programme over its store for the commands that ask it something.
 */
#pragma once

#include "cli/cli_int.h"
#include "programme/programme.h"

typedef struct {
    Programme *programme; /* as its documents have it */
    ProgrammeView *view;
    ProgrammeOptions options;
    DiagList diags;
} CliView;

/* Reads PROGRAMME (the first argument), --store or --out, --on and --threads, and answers the
   programme's definitions. Findings are shown. */
MUST_USE ErrorCode cli_view_open(Cli *cli, CliView *ret_view);
void cli_view_close(CliView *view);

/* A practice by id or name (the case of letters does not count); ERR_USAGE names the nearest. */
MUST_USE ErrorCode cli_view_practice(Cli *cli, const CliView *view, Str name, size_t *ret_practice);
/* An indicator or a register by id. */
MUST_USE ErrorCode cli_view_indicator(Cli *cli, const CliView *view, Str id, size_t *ret_indicator);
MUST_USE ErrorCode cli_view_register(Cli *cli, const CliView *view, Str id, size_t *ret_register);
/* "12.3", or "-" where there is nobody. */
Str cli_percent(Arena *arena, double rate, uint64_t of);
