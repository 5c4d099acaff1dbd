/*
 * cli -- the command `braid`: words and flags in, results and an exit code out.
 *
 * The tables are the interface: commands.def says which commands there are and what they
 * take, options.def what an option is, exit.def with which number the command ends. The parser,
 * `braid help`, the man pages and docs/commands.md are all made from them.
 *
 * Results go to standard output (text for people, or with --json one JSON document), progress and
 * findings to standard error. Only this folder and service/ print, read the clock or end the
 * process.
 */
#pragma once

/* The whole command; gives the exit code. */
int cli_main(int argument_count, char **arguments);
