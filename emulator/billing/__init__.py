"""The emulated account's bill: metered use at list price, less commitments, as Cost Explorer shows it later.

`metering` counts existing resources and their use, hour by hour; `catalog` has the billing name and price
of each item; `commitments` applies reservations and Savings Plans; `ledger` makes the lines of the bill;
`window` gives the periods that may be queried, and the share of them that is known already.
"""
