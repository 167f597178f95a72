"""The platform's users, and the metrics that they cause, computed from the resources that serve them.

`metric_catalog` finds a metric's source; `scene` holds what the sources share; each service has a module.
"""

from emulator.core.offered_types import read_when_needed

read_when_needed()  # before anything here imports moto's EC2
