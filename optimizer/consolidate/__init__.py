"""`tenants` and `users` become one table, `tenants_users`, while the application writes; and back, until acceptance.

The default way: make the target, copy while the application writes on, deny writes for a moment, compare and make
equal, turn the pointers. Back the same way, from what the merged table holds by then. What both sides hold decides:
there is no log, and no mark on an item (docs/adr/0027). Read in this order:

    mapping      an item of a source as it lies in the merged table, and back; the table's layout
    merge        which tables, in which direction, how fast
    state        how far it is, kept in the journal; what was set aside, by key
    target       the merged table made like its sources, and removed
    copy         the first copy, by pages, with checkpoints
    comparison   both sides held against each other and made equal; late writes found
    switches     the write block, and the pointers that the application follows
    cutover      the turn, the return, and what the watch does after a run that died in one
    moves        all of it as moves of the action table_consolidation, and what the watch does in the window

For tables that take too long to be compared in a pause, following/ finds changes in their streams instead. For still
larger ones the decision is KEEP, and examples/spark is the job that a person runs.
"""
