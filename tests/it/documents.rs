//! The documents against the program: what they name is there, and what they show is what comes.

mod examples;
mod links;
mod markdown;
mod options;
mod routes;
mod words;
