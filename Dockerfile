# Builds the one binary and puts it into an image that holds nothing else: no shell, no libraries, no
# user but the one that it runs as.
#   docker build -t switchboard .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 8080:8080 switchboard
# Where builds must stay the same to the byte, give the FROM the digest of the image besides.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
# All of the C library goes into the binary. The target is named, so that this holds of what is built
# and not of what builds it.
ENV RUSTFLAGS="-C target-feature=+crt-static"
# What it depends on, under a program that does nothing: built anew when that changes, and not with
# every line of the program.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
  && cargo build --locked --release --target host-tuple --bin switchboard && rm -r src
COPY src src
COPY web web
# What is newer than the last build is built, whenever it was written.
RUN touch src/main.rs src/lib.rs && cargo build --locked --release --target host-tuple --bin switchboard \
  && install -D target/*/release/switchboard /image/usr/local/bin/switchboard && install -d /image/state

FROM scratch
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/switchboard/
COPY --from=build /image/usr/local/bin/switchboard /usr/local/bin/switchboard
# Whom to believe that a store reached by rediss:// is the one that it says.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Where a volume for the state file goes: it takes over whose the directory is.
COPY --from=build --chown=65532:65532 /image/state /state
# By number, so that who runs it can see that it is not root.
USER 65532:65532
# All addresses, of both versions. What else is set is best set here too, so that the health check
# knows it.
ENV SWITCHBOARD_LISTEN=[::]:8080
EXPOSE 8080
# A server that goes away is not ready, but well until it is gone.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/usr/local/bin/switchboard", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/switchboard"]
