# Runs the demo, or any command: docker run --rm vitruvius search --help
FROM python:3.12-slim

RUN useradd --create-home vitruvius
WORKDIR /src
COPY . .
# Another index for torch alone, such as the one of its builds without CUDA, which are smaller.
ARG TORCH_INDEX=
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
        "$(grep '^torch==' constraints.txt)" \
    && pip install --no-cache-dir -c constraints.txt . \
    && rm -rf /src

USER vitruvius
WORKDIR /home/vitruvius
ENTRYPOINT ["vitruvius"]
CMD ["design", "digits", "--where", "latency<=5ms, params<=60k", "--minutes", "1", "--out", "demo"]
