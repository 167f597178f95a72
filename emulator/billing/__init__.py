"""What the emulated account is billed: metered use at list price, less commitments, as Cost Explorer shows it later.

`metering` counts what there was and what was used, hour by hour; `catalog` knows what each item is
called and costs; `commitments` lets reservations and Savings Plans cover it; `ledger` makes the lines
of the bill; `window` says what of it may be asked for, and what is known of it already.
"""
