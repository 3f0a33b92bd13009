# Builds the one binary and puts it, alone, into a small image that runs as nobody in particular.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY web web
RUN cargo build --locked --release --bin switchboard

FROM debian:bookworm-slim
COPY --from=build /src/target/release/switchboard /usr/local/bin/switchboard
USER 65534:65534
ENV SWITCHBOARD_LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/switchboard"]
