//! Clients that were given an address to connect to and send it as server_name: mosquitto_pub 2.0
//! and stunnel 5.68. Debian: `apt-get install mosquitto-clients stunnel4`.

use std::io::{Read, Write};

use fleeting::Server;

use crate::program::{Door, Program, World, expect, expect_end};

const INSTALL: &str = "apt-get install mosquitto-clients stunnel4";

fn server(world: &World) -> Server {
    Server::builder()
        .identity(world.pki.server.clone())
        .build()
        .unwrap()
}

/// RFC 6066, 3: "Literal IPv4 and IPv6 addresses are not permitted": it counts as no name.
#[test]
#[ignore = "needs mosquitto_pub"]
fn mosquitto_pub_asks_for_an_address() {
    let (world, door) = (World::new(), Door::open());
    let port = door.port().to_string();
    let arguments = [
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "--cafile",
        &world.ca,
        // Our certificate does not name the address.
        "--insecure",
        "-t",
        "topic",
        "-m",
        "message",
    ];
    let mut program = Program::start("mosquitto_pub", INSTALL, arguments);
    let mut stream = door.accept(&server(&world), &program).unwrap();
    assert_eq!(stream.server_name(), None);
    // MQTT 3.1.1: CONNECT, and the CONNACK that accepts it.
    let mut connect = [0; 2];
    stream.read_exact(&mut connect).unwrap();
    assert_eq!(connect[0], 0x10);
    stream
        .read_exact(&mut vec![0; usize::from(connect[1])])
        .unwrap();
    stream.write_all(&[0x20, 2, 0, 0]).unwrap();
    // PUBLISH, DISCONNECT.
    expect(
        &mut stream,
        b"\x30\x0e\x00\x05topicmessage\xe0\x00",
        &program,
    );
    program.finish_well();
}

#[test]
#[ignore = "needs stunnel"]
fn stunnel_asks_for_an_address() {
    let (world, door) = (World::new(), Door::open());
    // Without `accept` it carries its standard input and output.
    let settings = format!(
        "foreground = yes\nclient = yes\nconnect = 127.0.0.1:{}\nCAfile = {}\nverifyChain = yes\n",
        door.port(),
        world.ca
    );
    let settings = world.folder.write("stunnel.conf", settings);
    let mut program = Program::start("stunnel", INSTALL, [settings]);
    let mut stream = door.accept(&server(&world), &program).unwrap();
    assert_eq!(stream.server_name(), None);
    program.type_in("question\n");
    expect(&mut stream, b"question\n", &program);
    stream.write_all(b"answer\n").unwrap();
    program.wait_for("answer\n");
    program.end_input();
    expect_end(&mut stream, &program);
    stream.close().unwrap();
    program.finish_well();
}
