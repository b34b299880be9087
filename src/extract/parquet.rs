//! Rows as Apache Parquet: row groups of bounded size, so that a file of any length takes the same memory.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::Cell;
use super::schema::{Column, Kind};
use super::writer::Table;

/// Rows of a group.
const GROUP_ROWS: usize = 32_768;
/// Octets of text after which a group ends early.
const GROUP_TEXT: usize = 8 << 20;

/// Writes rows as Parquet.
pub(super) struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Pending>,
    rows: usize,
    text: usize,
}

/// The cells of one column that wait for their group to be written.
struct Pending {
    values: Values,
    /// For each row whether there is a value, if the column may be empty.
    present: Option<Vec<i16>>,
}

enum Values {
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Singles(Vec<f32>),
    /// Texts one behind another, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
}

impl Pending {
    fn new(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Integer => Values::Integers(Vec::with_capacity(GROUP_ROWS)),
            Kind::Real => Values::Reals(Vec::with_capacity(GROUP_ROWS)),
            Kind::Single => Values::Singles(Vec::with_capacity(GROUP_ROWS)),
            Kind::Text => Values::Texts(Vec::new(), Vec::with_capacity(GROUP_ROWS)),
        };
        Self { values, present: column.optional.then(|| Vec::with_capacity(GROUP_ROWS)) }
    }

    /// Takes a cell; gives the octets of text that it added.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if let Some(present) = &mut self.present {
            present.push(i16::from(*cell != Cell::Empty));
            if *cell == Cell::Empty {
                return 0;
            }
        }
        match &mut self.values {
            Values::Integers(values) => values.push(match cell {
                Cell::Integer(value) => *value,
                _ => 0,
            }),
            Values::Reals(values) => values.push(match cell {
                Cell::Real(value) => *value,
                Cell::Single(value) => f64::from(*value),
                Cell::Integer(value) => *value as f64,
                Cell::Nanoseconds(nanos) => *nanos as f64 / 1e9,
                Cell::Time(time) => time.as_micros() as f64 / 1e6,
                _ => f64::NAN,
            }),
            Values::Singles(values) => values.push(match cell {
                Cell::Single(value) => *value,
                _ => f32::NAN,
            }),
            Values::Texts(text, ends) => {
                let before = text.len();
                cell.write(text);
                ends.push(text.len());
                return text.len() - before;
            }
        }
        0
    }

    /// Writes and forgets what waits.
    fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let present = self.present.as_deref();
        match (&mut self.values, writer) {
            (Values::Integers(values), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (Values::Reals(values), ColumnWriter::DoubleColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (Values::Singles(values), ColumnWriter::FloatColumnWriter(writer)) => {
                writer.write_batch(values, present, None)?;
                values.clear();
            }
            (Values::Texts(text, ends), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                let all = ByteArray::from(std::mem::take(text));
                let starts = std::iter::once(&0).chain(ends.iter());
                let slices = starts.zip(ends.iter()).map(|(start, end)| all.slice(*start, end - start));
                let values: Vec<ByteArray> = slices.collect();
                writer.write_batch(&values, present, None)?;
                ends.clear();
            }
            _ => return Err(ParquetError::General("a column is not of its schema's type".to_owned())),
        }
        if let Some(present) = &mut self.present {
            present.clear();
        }
        Ok(())
    }
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(out: W, table: &Table) -> io::Result<Self> {
        let metadata = |name: &str, value: String| KeyValue::new(format!("picket.{name}"), value);
        let mut about = vec![
            metadata("schema", table.schema.to_owned()),
            metadata("schema_version", table.version.to_string()),
            metadata("schema_hash", table.hash.to_string()),
        ];
        about.extend(table.parameters.iter().map(|(name, value)| metadata(name, value.to_string())));
        let properties = WriterProperties::builder()
            .set_created_by(concat!("picket ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(about))
            .build();
        let schema = message(table).map_err(io_error)?;
        let file =
            SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(io_error)?;
        Ok(Self { file, columns: table.columns.iter().map(Pending::new).collect(), rows: 0, text: 0 })
    }

    pub(super) fn row(&mut self, cells: &[Cell<'_>], labels: &[Cell<'_>]) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells.iter().chain(labels)) {
            self.text += column.push(cell);
        }
        self.rows += 1;
        if self.rows < GROUP_ROWS && self.text < GROUP_TEXT {
            return Ok(());
        }
        self.write_group().map_err(io_error)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                column.write(writer.untyped())?;
                writer.close()?;
            }
        }
        group.close()?;
        (self.rows, self.text) = (0, 0);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group().map_err(io_error)?;
        }
        self.file.close().map(drop).map_err(io_error)
    }
}

fn message(table: &Table) -> Result<Type, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind {
            Kind::Integer => (Physical::INT64, None),
            Kind::Real => (Physical::DOUBLE, None),
            Kind::Single => (Physical::FLOAT, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = if column.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    };
    let fields = table.columns.iter().map(field).collect::<Result<_, ParquetError>>()?;
    Type::group_type_builder("row").with_fields(fields).build()
}

/// The reader may have gone away: then it is to be known as that.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    }
}
