# Scores two files on a CPU; the encoder is inside, so the container needs no network.
#   docker build -t cocola-metric .
#   docker run --rm -v "$PWD:/music" cocola-metric mix.wav guitar.wav
FROM python:3.12-slim-bookworm

COPY pyproject.toml README.md LICENSE /source/
COPY cocola_metric /source/cocola_metric
COPY training /source/training
COPY benchmarks /source/benchmarks
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu /source \
    && rm -rf /source \
    && useradd --create-home --uid 1000 listener

USER 1000
WORKDIR /music
ENTRYPOINT ["cocola-score"]
CMD ["--help"]
