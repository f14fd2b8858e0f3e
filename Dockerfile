FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# A target that is named keeps build scripts and procedural macros out of the static linking.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    target=$(rustc --print host-tuple) \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target "$target" \
    && cp "target/$target/release/metaaccess-exporter" /metaaccess-exporter

FROM scratch
LABEL org.opencontainers.image.title="metaaccess-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the OPSWAT MetaAccess event logs" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /build/LICENSE /LICENSE
COPY --from=build /metaaccess-exporter /metaaccess-exporter
USER 65532:65532
EXPOSE 19720
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["/metaaccess-exporter", "healthcheck"]
ENTRYPOINT ["/metaaccess-exporter"]
