# For amd64 and arm64, each built without emulation on a machine of either kind.
ARG TARGETARCH

# A digest here (rust:1.95.0-bookworm@sha256:...) makes two builds the same to the byte: deploy/release/README.md
FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS rust

FROM rust AS for-amd64
ENV TARGET=x86_64-unknown-linux-gnu CROSS="gcc-x86-64-linux-gnu libc6-dev-amd64-cross"

FROM rust AS for-arm64
ENV TARGET=aarch64-unknown-linux-gnu CROSS="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

# hadolint ignore=DL3006 # it is one of the two stages above
FROM for-${TARGETARCH} AS build
WORKDIR /build
# hadolint ignore=DL3008,SC2086 # the tag above names the Debian release; two words are two packages
RUN if [ "$(rustc --print host-tuple)" != "$TARGET" ]; then \
        rustup target add "$TARGET" \
        && apt-get update \
        && apt-get install -y --no-install-recommends $CROSS \
        && rm -rf /var/lib/apt/lists/*; \
    fi

# The dependencies alone: a layer that stays as it is until they change. What was built of the program
# itself is taken away again, since cargo tells sources apart by their time, and these are the newer.
COPY deploy/release/build deploy/release/
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && touch src/lib.rs \
    && echo 'fn main() {}' >src/main.rs \
    && deploy/release/build "$TARGET" \
    && cargo clean --release --target "$TARGET" --package metaaccess-exporter \
    && rm -r src

COPY src src
RUN install "$(deploy/release/build "$TARGET")" / && install -d /state

FROM scratch
LABEL org.opencontainers.image.title="metaaccess-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the OPSWAT MetaAccess event logs that counts every line exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# A volume that is new takes its owner from the folder that it covers.
COPY --from=build --chown=65532:65532 /state /state
COPY LICENSE /
COPY --from=build /metaaccess-exporter /
USER 65532:65532
EXPOSE 19720
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["/metaaccess-exporter", "healthcheck"]
ENTRYPOINT ["/metaaccess-exporter"]
