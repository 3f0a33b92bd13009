# Builds the one binary and puts it, alone, into a small image that runs as nobody in particular:
#   docker build -t switchboard .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 8080:8080 switchboard
# Where builds must stay the same to the byte, give each FROM the digest of the image besides.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY web web
RUN cargo build --locked --release --bin switchboard

FROM debian:bookworm-slim
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/switchboard/
COPY --from=build /src/target/release/switchboard /usr/local/bin/switchboard
# Whom to believe that a store reached by rediss:// is the one that it says.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# By number, so that who runs it can see that it is not root.
USER 65532:65532
# All addresses, of both versions.
ENV SWITCHBOARD_LISTEN=[::]:8080
EXPOSE 8080
# A server that goes away is not ready, but well until it is gone.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/switchboard"]
