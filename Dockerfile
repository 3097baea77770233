# docker build -t atelier .                                          # for processors
# docker build -t atelier --build-arg TORCH_BACKEND=cu130 .          # for NVIDIA GPUs: docker run --gpus all …
# docker run --rm -v "$PWD/logs:/atelier/logs" -v "$PWD/data:/atelier/data" atelier train experiment=clock_multihead
FROM python:3.12-slim
ARG TORCH_BACKEND=cpu
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /atelier
COPY pyproject.toml requirements.lock Makefile README.md ./
COPY src ./src
COPY conf ./conf
RUN make setup PYTHON=python3 TORCH_BACKEND=$TORCH_BACKEND && rm -rf ~/.cache
COPY . .
ENV PATH=/atelier/.venv/bin:$PATH
ENTRYPOINT ["atelier"]
CMD ["--help"]
