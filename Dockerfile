# The warehouse on a server: the code with Airflow, dbt and Great Expectations in it. Used by docker-compose.yml.
FROM python:3.11-slim-bookworm

ENV LIFECOURSE_HOME=/var/lib/lifecourse \
    LIFECOURSE_PYTHON=/usr/local/bin/python3 \
    PATH=/opt/lifecourse/.venv/bin:$PATH \
    PYTHONPATH=/opt/lifecourse \
    PYTHONUNBUFFERED=1

# Nothing runs as root: state belongs to this user, code to nobody.
RUN useradd --uid 50000 --create-home lifecourse \
    && install --directory --owner lifecourse --group lifecourse --mode 0700 /var/lib/lifecourse

WORKDIR /opt/lifecourse
COPY requirements.lock ./
COPY scripts/install scripts/install
RUN scripts/install
COPY . .

USER lifecourse
VOLUME /var/lib/lifecourse
EXPOSE 8080
CMD ["python", "-m", "lifecourse.cli", "--help"]
