from django.tasks import task

from apps.jobs import running


@task()
def run_job(job_id: int) -> None:
    """Run a job; what `django.tasks` carries to a worker is nothing but its number."""
    running.run(job_id)
