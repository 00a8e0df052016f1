"""Airflow around the warehouse: what tasks call, alerts, and running Airflow itself on one machine.

`steps` is what the DAGs in ``dags/`` call; it knows nothing of Airflow. `alerts` tells people when a task has
failed for good. `home`, `processes` and `client` set Airflow up, keep it running and talk to it; `demo` plays
two nights of it.
"""
